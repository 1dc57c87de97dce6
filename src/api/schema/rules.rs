//! What no type can say about our kinds: rules across fields, and what must not change, in CEL.
//!
//! In: the schema of a spec. Out: the same with rules, each with a message that says what to do. The API server
//! evaluates them; the function checks again what it can see, since an older Crossplane (before 2.2) drops the rule at
//! the root. Rules with `oldSelf` only run on updates.

use super::{Rule, Schema};
use crate::defaults;

/// The rule of a whole `PLANAClient`: the API server gives a name once, so the name of the object gives a subdomain once.
pub(super) fn of_a_client() -> Vec<Rule> {
    vec![rule(
        "self.metadata.name == self.spec.subdomain",
        "metadata.name must be spec.subdomain: give both the same value, so that no two tenants get one subdomain",
    )]
}

/// The rule of a whole `TemplateSnapshot`: its name is its template's, so that there is one for each.
pub(super) fn of_a_snapshot() -> Vec<Rule> {
    vec![rule(
        "self.metadata.name == self.spec.templateCode + '-' + self.spec.odooVersion",
        "metadata.name must be <spec.templateCode>-<spec.odooVersion>, such as basic-18, so that a template is built by one only",
    )]
}

/// Adds the rules of the spec of a `TemplateSnapshot`.
pub(super) fn add_to_snapshot(spec: &mut Schema) {
    say_patterns_in_words(spec);
    for field in ["templateCode", "odooVersion"] {
        on(
            spec,
            field,
            vec![rule(
                "self == oldSelf",
                "cannot change: the template database carries it; make a new TemplateSnapshot for another template",
            )],
        );
    }
}

/// Adds the rules of the spec of a `PLANAClient`.
pub(super) fn add_to_client(spec: &mut Schema) {
    say_patterns_in_words(spec);
    on(spec, "subdomain", subdomain());
    on(
        spec,
        "projectId",
        vec![rule(
            "self == oldSelf",
            "cannot change: the support room and the ERP's record carry it; set it back",
        )],
    );
    if let Some(backup) = spec.properties.get_mut("backup") {
        on(
            backup,
            "schedule",
            vec![rule(
                "!self.startsWith('TZ=') && !self.startsWith('CRON_TZ=')",
                "cannot name a time zone: the platform's counts (backup.timeZone of its Platform); remove it",
            )],
        );
    }
    spec.validations.extend([
        below(
            ".customDomains",
            "self.tier == 'enterprise' || !has(self.customDomains) || size(self.customDomains) == 0",
            "need tier enterprise: remove them or raise spec.tier",
        ),
        below(
            ".adoptDatabase",
            "!has(oldSelf.adoptDatabase) || (has(self.adoptDatabase) && self.adoptDatabase == oldSelf.adoptDatabase)",
            "cannot change or be removed once set: set it back",
        ),
    ]);
}

fn subdomain() -> Vec<Rule> {
    let reserved = defaults::RESERVED_NAMES
        .map(|name| format!("'{name}'"))
        .join(", ");
    vec![
        rule(
            "self == oldSelf",
            "cannot change: the database and the host name carry it; make a new PLANAClient for another subdomain",
        ),
        rule(
            "!self.contains('--')",
            "cannot have two hyphens in a row: use one",
        ),
        rule(
            &format!("!(self in [{reserved}])"),
            "is reserved for the platform itself: choose another",
        ),
        rule(
            "!self.contains('-template-')",
            "cannot contain -template-, which marks template databases: choose another",
        ),
    ]
}

/// The API server answers a pattern that does not match with the pattern; beside it stands what it means.
fn say_patterns_in_words(schema: &mut Schema) {
    if let (Some(pattern), Some(hint)) = (&schema.pattern, &schema.hint) {
        let words = rule(&format!("self.matches(r'{pattern}')"), &format!("must be {hint}"));
        schema.validations.push(words);
    }
    schema.properties.values_mut().for_each(say_patterns_in_words);
    schema
        .items
        .as_deref_mut()
        .into_iter()
        .for_each(say_patterns_in_words);
}

fn on(parent: &mut Schema, field: &str, rules: Vec<Rule>) {
    if let Some(schema) = parent.properties.get_mut(field) {
        schema.validations.extend(rules);
    }
}

fn rule(rule: &str, message: &str) -> Rule {
    Rule {
        rule: rule.to_owned(),
        message: message.to_owned(),
        field_path: None,
    }
}

fn below(field_path: &str, expression: &str, message: &str) -> Rule {
    Rule {
        field_path: Some(field_path.to_owned()),
        ..rule(expression, message)
    }
}
