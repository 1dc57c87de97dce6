//! Why a command did not do what it was to do.
//!
//! In: what went wrong. Out: one word for conditions and alerts, a sentence with the way out for people, and whether
//! another try may help. A message never holds a secret: nobody puts one in, and [`super::secrets`] prints none.

use std::fmt;

use crate::contract::ExitCode;

/// What a step of a command comes to.
pub type Attempted<T> = Result<T, Failure>;

/// Why a command did not do what it was to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How the program ends.
    pub exit: ExitCode,
    /// One word, as in a condition: `ServerUnreachable`.
    pub reason: &'static str,
    /// A sentence, with the way out.
    pub message: String,
}

impl Failure {
    /// Another try may help: something is away, busy or in the middle of something.
    #[must_use]
    pub fn retry(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(ExitCode::Retry, reason, message)
    }

    /// Another try does not help: somebody has to change something first.
    #[must_use]
    pub fn give_up(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(ExitCode::GiveUp, reason, message)
    }

    /// What is there is not ours to touch.
    #[must_use]
    pub fn refused(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(ExitCode::Refused, reason, message)
    }

    fn new(exit: ExitCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            exit,
            reason,
            message: message.into(),
        }
    }

    /// The same, with what was being done in front.
    #[must_use]
    pub fn while_doing(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

/// An error and its causes, in a line. Most libraries repeat the cause in the error, so one that is said is left out.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.reason, self.message)
    }
}

impl std::error::Error for Failure {}
