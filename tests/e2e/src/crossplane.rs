//! Crossplane and the packages, installed as users install them.
//!
//! In: the chart's templates, the packages of `dev/package`, the one of provider-sql. Out: core, RBAC manager,
//! provider and function as pods with the chart's rights, and PLANAClient as a kind of the API.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};

use crate::{
    kubectl::{Kubectl, checked},
    place::{Place, REGISTRY, RUN, text},
    program::Programs,
};

const LIMIT: Duration = Duration::from_secs(180);
const NAMESPACE: &str = "crossplane-system";
/// What the manifest has in the place of the image.
const IMAGE: &str = "CROSSPLANE-IMAGE";
/// Where the names of the packages point to; the registry of this cluster stands in for all of them.
const OURS: &str = "git.planapulse.com/plana-pulse";
const PROVIDER: &str = "crossplane-contrib/provider-sql:v0.16.0";

/// Templates that need no more than a name; the Deployments are written out in the manifest.
const TEMPLATES: [&str; 9] = [
    "clusterrole",
    "clusterrolebinding",
    "rbac-manager-allowed-provider-permissions",
    "rbac-manager-clusterrole",
    "rbac-manager-clusterrolebinding",
    "rbac-manager-managed-clusterroles",
    "rbac-manager-serviceaccount",
    "secret",
    "service",
];

/// Starts Crossplane; it comes up while the packages are pushed.
pub fn start(programs: &Programs, place: &Place, kubectl: &Kubectl) -> Result<()> {
    let mut manifests = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {NAMESPACE}}}\n");
    for template in TEMPLATES.into_iter().chain(["serviceaccount"]) {
        let path = place.crossplane().join("chart").join(format!("{template}.yaml"));
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        manifests.push_str("---\n");
        manifests.push_str(&render(&text));
    }
    manifests.push_str("---\n");
    let image = text(&place.crossplane().join("image")).context("the gathered Crossplane has an image")?;
    manifests.push_str(&include_str!("../manifests/crossplane.yaml").replace(IMAGE, &image));
    kubectl.apply(&manifests)?;
    programs.say("Crossplane is applied");
    Ok(())
}

/// What Helm makes of a template with the chart's values: the names filled in, and nothing of what is optional. Any
/// other line with an expression is a condition, a label or the value of somebody who changed the chart's.
fn render(template: &str) -> String {
    template
        .replace("{{ template \"crossplane.name\" . }}", "crossplane")
        .replace("{{ .Release.Namespace }}", NAMESPACE)
        .replace("{{ .Release.Name }}", "crossplane")
        .replace("{{ .Values.webhooks.port | default 9443 }}", "9443")
        .lines()
        .filter(|line| !line.contains("{{"))
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// Pushes the packages under the names that they are published by.
pub fn push(programs: &Programs, place: &Place, packages: &Path, version: &str) -> Result<()> {
    for (file, name) in [
        (
            packages.join("function-odoo-amd64.xpkg"),
            format!("plana-pulse/function-odoo:{version}"),
        ),
        (
            packages.join("configuration-odoo.xpkg"),
            format!("plana-pulse/configuration-odoo:{version}"),
        ),
        (place.gathered("provider-sql.xpkg"), PROVIDER.to_owned()),
    ] {
        let mut command = programs.tool("crossplane");
        command
            .args(["xpkg", "push", "-f"])
            .arg(file)
            .arg(format!("{REGISTRY}/{name}"));
        checked(
            &command.output().context("cannot start crossplane")?,
            "crossplane xpkg push",
        )?;
    }
    programs.say("the packages are in the registry");
    Ok(())
}

/// Installs them, as the README says.
pub fn install(programs: &Programs, kubectl: &Kubectl, version: &str) -> Result<()> {
    let available = |name: &str| {
        let name = format!("deployment/{name}");
        kubectl.wait(&["-n", NAMESPACE, &name, "--for=condition=Available"], LIMIT)
    };
    available("crossplane")?;
    available("crossplane-rbac-manager")?;
    programs.say("Crossplane is available");
    kubectl.apply(include_str!("../manifests/registry.yaml"))?;
    kubectl.apply(include_str!("../../../deploy/function-odoo.yaml"))?;
    let install = |arguments: &[&str]| {
        let mut command = programs.tool("crossplane");
        command.env("KUBECONFIG", format!("{RUN}/admin.kubeconfig"));
        command.args(["xpkg", "install"]).args(arguments);
        checked(
            &command.output().context("cannot start crossplane")?,
            "crossplane xpkg install",
        )
    };
    let function = format!("{OURS}/function-odoo:{version}");
    install(&["function", &function, "--runtime-config=function-odoo"])?;
    install(&["configuration", &format!("{OURS}/configuration-odoo:{version}")])?;
    let healthy = |kind: &str, name: &str| {
        let name = format!("{kind}.pkg.crossplane.io/{name}");
        kubectl.wait(&[&name, "--for=condition=Healthy"], LIMIT)
    };
    healthy("configurations", "plana-pulse-configuration-odoo")?;
    healthy("functions", "plana-pulse-function-odoo")?;
    programs.say("the function and the Configuration are healthy");
    healthy("providers", "crossplane-contrib-provider-sql")?;
    for definition in [
        "xrd/planaclients.planapulse.com",
        "crd/databases.postgresql.sql.crossplane.io",
    ] {
        kubectl.wait(&[definition, "--for=condition=Established"], LIMIT)?;
    }
    programs.say("provider-sql is healthy, PLANAClient is a kind");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_keeps_its_names_and_what_has_no_expression() {
        let template = "kind: A\n{{- if not .Values.x }}\nmetadata:\n  name: {{ template \"crossplane.name\" . }}:b\n\
            {{- else }}\n  name: {{ .Values.y }}\n{{- end }}\n  namespace: {{ .Release.Namespace }}\n";
        let expected = "kind: A\nmetadata:\n  name: crossplane:b\n  namespace: crossplane-system\n";
        assert_eq!(render(template), expected);
    }
}
