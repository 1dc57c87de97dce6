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
//!
//! A tenant's template goes the same way: `TemplateSnapshot`, `Template`, `TemplatePlan`. What treats both alike takes a
//! `Subject`.
//!
//! What a module may use of the others; `tests/layers.rs` holds it to that. The core is everything but `cli`, `job`,
//! `telemetry` and `function::server`: it has no clock, environment, randomness, files, network or log.
//!
//! | module | may use |
//! |---|---|
//! | `names` | |
//! | `defaults` | |
//! | `contract` | |
//! | `telemetry` | |
//! | `api` | `defaults` |
//! | `observed` | `names` `contract` `api::plana_client` `function::wire::RawValue` |
//! | `tenant` | `names` `defaults` `api` |
//! | `blueprint` | `names` `defaults` `contract` `tenant` |
//! | `plan` | `names` `defaults` `contract` `tenant` `observed` `blueprint` `api::API_VERSION` `api::plana_client` `api::template_snapshot` `function::wire::RawValue` |
//! | `compose` | `names` `defaults` `tenant` `blueprint` `plan` `api::API_VERSION` `api::plana_client` `function::wire::RawValue` |
//! | `status` | `names` `contract` `tenant` `observed` `plan` `api::plana_client` `api::template_snapshot` |
//! | `function` | `names` `tenant` `observed` `plan` `compose` `status` `api` |
//! | `function::wire` | `function::proto` |
//! | `function::server` | `function` `api::plana_client` `api::template_snapshot` |
//! | `cli` | `function` `telemetry` `api` `tenant::resolve` |
//! | `job` | `contract` `names` `telemetry` |

pub mod api;
pub mod blueprint;
pub mod cli;
pub mod compose;
pub mod contract;
pub mod defaults;
pub mod function;
pub mod job;
pub mod names;
pub mod observed;
pub mod plan;
pub mod status;
pub mod telemetry;
pub mod tenant;
