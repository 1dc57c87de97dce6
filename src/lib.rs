//! function-odoo: a Crossplane composition function that runs Odoo as a multi-tenant service.
//!
//! ```text
//! request --> function::read --+--> api --> tenant::resolve --> Tenant --+
//!                              +--> observed ----------> Observed -------+
//!                                                                        v
//!                                                              plan --> Plan
//!                                                                        |
//!                 compose(Tenant, Plan) --> Composed --+<----------------+
//!                 status(Plan, Observed) --> Status ---+
//!                                                      v
//! response <------------------------------- function::write
//! ```

pub mod api;
pub mod blueprint;
pub mod cli;
pub mod compose;
pub mod contract;
pub mod defaults;
pub mod function;
pub mod names;
pub mod observed;
pub mod plan;
pub mod status;
pub mod telemetry;
pub mod tenant;
