//! x
mod document;
pub mod simulate;
pub mod yaml;
