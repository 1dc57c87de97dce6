//! The template databases that the scenarios' tenants are cloned from: real ones, by `TemplateSnapshot`.

use serde_json::Value;

use super::{
    cluster::{apply, has_database, object, text},
    manifests::template,
    wait::wait,
};

/// What the templates have installed.
pub const MODULES: [&str; 2] = ["base", "web"];

/// A template of major 19.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// Its code, such as `basic`.
    pub code: &'static str,
}

impl Template {
    /// Of a code.
    pub const fn new(code: &'static str) -> Self {
        Self { code }
    }

    /// The name of its `TemplateSnapshot`.
    pub fn name(self) -> String {
        format!("{}-19", self.code)
    }

    /// The name of its database.
    pub fn database(self) -> String {
        format!("{}-template-19.planapulse.app", self.code)
    }

    /// The `TemplateSnapshot`.
    pub fn object(self) -> Option<Value> {
        object(&["templatesnapshot", &self.name()])
    }

    /// Applies it with these modules.
    pub fn apply(self, modules: &[&str]) {
        apply(&template(self.code, modules)).expect("it is valid");
    }

    /// Waits until it is built from what is wanted.
    pub fn wait_available(self) {
        wait(&format!("the template {} is available", self.name()), || {
            let object = self.object()?;
            (text(&object, "/status/phase") == "Available").then_some(())
        });
        assert!(has_database(&self.database()), "it is a database");
    }

    /// Builds it unless somebody has.
    pub fn ensure(self) {
        if self.object().is_none() {
            self.apply(&MODULES);
        }
        self.wait_available();
    }
}
