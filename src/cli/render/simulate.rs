//! What Crossplane does with one composite resource in one pass, as its own preview does it, without a cluster.
//!
//! In: a composite resource, what exists besides it, and a function to call. Out: the objects as the preview would print
//! them, and the events. This follows Crossplane 2.4's reconcile loop against an in-memory cluster step by step
//! (`compose` is the pipeline, `reconcile` what is around it), with its side effects on the composite resource, since
//! each of them can be seen in the output. It knows nothing of our own function, of files or of formats.

mod compose;
mod conditions;
mod events;
mod identity;
mod object;
mod observed;
mod reconcile;
mod requirements;
mod schemas;
mod store;
mod structs;

use std::collections::BTreeMap;

use serde_json::Value;
use thiserror::Error;

pub use conditions::freeze_timestamps;
pub use events::{Event, EventType};
pub use object::{annotation, api_version, kind, name, namespace, text};
pub use observed::{ObservedProblem, problems as observed_problems};
pub use structs::with_doubles;

use crate::function::{
    proto::v1::{RunFunctionRequest, RunFunctionResponse},
    wire::{ReadError, WriteError},
};

/// Names a composed resource within its composite resource.
pub const RESOURCE_NAME_ANNOTATION: &str = "crossplane.io/composition-resource-name";
/// The label with the name of the composite resource that everything belongs to.
pub const COMPOSITE_LABEL: &str = "crossplane.io/composite";

/// Everything that one pass depends on.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The composite resource, with its schema's defaults filled in.
    pub composite: Value,
    /// The name of the Composition; it is seen in events and in what the function is given.
    pub composition: String,
    /// The name of the pipeline step.
    pub step: String,
    /// The input of the pipeline step.
    pub input: Option<Value>,
    /// Composed resources as they exist.
    pub observed: Vec<Value>,
    /// Other objects that the function may require.
    pub required: Vec<Value>,
    /// OpenAPI documents, one per group and version.
    pub schemas: Vec<Value>,
    /// What the pipeline's context holds before the function is called.
    pub context: BTreeMap<String, Value>,
}

/// What one pass leaves behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// The composite resource; only what Crossplane wrote, not what the user did.
    pub composite: Value,
    /// The composed resources in the order of their composition resource names.
    pub composed: Vec<Value>,
    /// The events in the order in which they were sent.
    pub events: Vec<Event>,
}

/// Why there is nothing to show. The real preview prints nothing in these cases either.
#[derive(Debug, Error)]
pub enum SimulateError {
    /// The function refused.
    #[error("pipeline step \"{step}\" returned a fatal result: {message}")]
    Fatal {
        /// The pipeline step.
        step: String,
        /// What the function said.
        message: String,
    },
    /// The function never asked for the same twice in a row.
    #[error("cannot settle what the function requires: it asked for something else in each of {calls} calls")]
    Unsettled {
        /// How often it was called.
        calls: u32,
    },
    /// Something cannot be put into a message.
    #[error("cannot encode {what} for the function")]
    Encode {
        /// Which object.
        what: String,
        /// Why not.
        #[source]
        source: WriteError,
    },
    /// The function's desired state is not protobuf.
    #[error("cannot decode the desired state")]
    DesiredState(#[from] prost::DecodeError),
    /// An object or the context in the function's response is not a `Struct`.
    #[error("cannot decode {what} from the function")]
    Decode {
        /// Which object.
        what: String,
        /// Why not.
        #[source]
        source: ReadError,
    },
    /// Kubernetes would refuse the name.
    #[error("cannot apply composed resource \"{resource}\": its name \"{name}\" is not a DNS subdomain")]
    InvalidName {
        /// The composition resource name.
        resource: String,
        /// The bad `metadata.name`.
        name: String,
    },
    /// The function's object names another controller.
    #[error("cannot apply composed resource \"{resource}\": it is already controlled by {kind} {name}")]
    ForeignController {
        /// The composition resource name.
        resource: String,
        /// The controller's kind.
        kind: String,
        /// The controller's name.
        name: String,
    },
    /// Something is wrong with an observed object.
    #[error("cannot observe {object}: {problem}")]
    Observed {
        /// Kind and name.
        object: String,
        /// What is wrong.
        problem: ObservedProblem,
    },
    /// A composite resource without a name has nothing to name others after.
    #[error("cannot compose for a composite resource without metadata.name")]
    Nameless,
}

/// The function under test: one call.
pub type Call<'a> = dyn FnMut(RunFunctionRequest) -> RunFunctionResponse + 'a;

/// Runs one pass.
pub fn simulate(inputs: &Inputs, call: &mut Call<'_>) -> Result<Rendered, SimulateError> {
    reconcile::reconcile(inputs, call)
}

/// The uid that an observed resource's controller reference must have.
#[must_use]
pub fn uid_of(composite: &Value) -> String {
    identity::uid_of(composite)
}
