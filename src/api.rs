//! The API as users write it: one file per kind, plus the function's input.
//!
//! In: nothing. Out: the types that a spec, a status and a Platform are read into, with the doc comments that become
//! the descriptions of their schemas. Optional fields are optional here; [`crate::tenant`] is where every default is
//! filled in. Nothing here decides anything.

pub mod check;
pub mod plana_client;
pub mod platform;

/// The API group of the composite resources.
pub const GROUP: &str = "planapulse.com";
/// The API version of the composite resources.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` of the composite resources.
pub const API_VERSION: &str = "planapulse.com/v1alpha1";
/// `apiVersion` of the function's input.
pub const INPUT_API_VERSION: &str = "odoo.fn.planapulse.com/v1beta1";
/// `kind` of the function's input.
pub const INPUT_KIND: &str = "Platform";
