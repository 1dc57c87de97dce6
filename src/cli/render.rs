//! x
pub mod simulate;
pub mod yaml;
