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

pub mod function;
pub mod telemetry;
