//! The API as users write it: one file per kind, plus the function's input.
//!
//! In: nothing. Out: the types that a spec, a status and a Platform are read into, with the doc comments that become
//! the descriptions of their schemas. Optional fields are optional here; [`crate::tenant`] is where every default is
//! filled in. Nothing here decides anything; [`schema`] writes the types down for the API server and for editors, and
//! [`check`] says what is wrong with a value that does not fit them.

pub mod check;
pub mod plana_client;
pub mod platform;
pub mod schema;
pub mod template_snapshot;

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
/// Repository of the Function package.
pub const FUNCTION_REPOSITORY: &str = "git.planapulse.com/plana-pulse/function-odoo";
/// Name of the Function on a cluster. Crossplane makes it out of the repository's path when it installs the function
/// as a dependency of the Configuration, so the Composition, which names the function, has no choice.
pub const FUNCTION_NAME: &str = "plana-pulse-function-odoo";
