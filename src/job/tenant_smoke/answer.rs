//! What the workers' answers mean, in the words of who has to do something about them.
//!
//! In: status, headers, body. Out: what was asked for, or a failure that tells the cases apart which look alike to a probe:
//! Odoo redirects a host whose database it does not list, and a redirect counts as success with Kubernetes.

use serde_json::Value;

use crate::job::{
    failure::{Attempted, Failure},
    tenancy::major,
};

/// Letters of what Odoo said that a message shows.
const SHOWN: usize = 200;

/// Which Odoo answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// As it says: `19.0-20251222`.
    pub words: String,
    /// Its major; `None` for one that says none, such as a development branch.
    pub major: Option<u32>,
}

/// Whether this is the page where one logs in. Words differ by language, names of fields do not.
pub fn login_page(status: u16, location: Option<&str>, body: &[u8], host: &str) -> Attempted<()> {
    let location = location.unwrap_or_default();
    let body = String::from_utf8_lossy(body);
    match status {
        200 if body.contains("name=\"login\"") && body.contains("name=\"password\"") => Ok(()),
        200 => Err(Failure::retry(
            "LoginPageOdd",
            format!("/web/login of {host} is 200, and has no form to log in with"),
        )),
        300..=399 if location.contains("/web/database/") => Err(Failure::retry(
            "TenantNotListed",
            format!(
                "the workers do not list the database of {host} (redirect {status} to {location}): it must belong to \
                 the role that they log in with, let them connect, and match their dbfilter"
            ),
        )),
        300..=399 => Err(Failure::retry(
            "TenantRedirected",
            format!("/web/login of {host} is a redirect ({status}) to {location:?}, and was to be a page"),
        )),
        404 => Err(Failure::retry(
            "LoginPageMissing",
            format!(
                "{host} has no /web/login: the URL is not that of Odoo's workers, or they lack the module web"
            ),
        )),
        500 => Err(Failure::retry(
            "TenantBroken",
            format!(
                "/web/login of {host} fails (500): the workers list the database and cannot load it. Their log says \
                 why; often their modules are older or newer than the database's"
            ),
        )),
        502..=504 => Err(Failure::retry(
            "WorkersUnavailable",
            format!("something in front of the workers answers {status} for {host}: none of them is ready"),
        )),
        _ => Err(Failure::retry(
            "LoginPageOdd",
            format!("/web/login of {host} answers {status}"),
        )),
    }
}

/// The result of a JSON-RPC call.
pub fn json_rpc(status: u16, body: &[u8]) -> Attempted<Value> {
    let odd = || {
        Failure::retry(
            "AnswerOdd",
            format!("the workers answer a call with status {status} and something that is no JSON-RPC"),
        )
    };
    let mut answer: Value = serde_json::from_slice(body).map_err(|_| odd())?;
    if let Some(result) = answer.get_mut("result") {
        return Ok(result.take());
    }
    let error = answer.get("error").ok_or_else(odd)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (name, message) = (text(&error["data"]["name"]), text(&error["data"]["message"]));
    let first: String = message
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(SHOWN)
        .collect();
    if name.ends_with("AccessDenied") {
        return Err(Failure::retry(
            "ModelReadDenied",
            "the workers list the database and do not accept a key that is in it: they have another database of that \
             name; check their db_host",
        ));
    }
    Err(Failure::retry(
        "ModelReadFailed",
        format!(
            "the login page is there, and a read through Odoo's models fails ({name}: {first}): the workers' code does \
             not fit the database. Restart them, and see their log"
        ),
    ))
}

/// Which Odoo it is, from the result of `version_info`.
pub fn version(result: &Value) -> Attempted<Version> {
    let words = result["server_version"].as_str().unwrap_or_default().to_owned();
    let serie = result["server_serie"].as_str().unwrap_or(&words);
    if words.is_empty() {
        return Err(Failure::retry(
            "AnswerOdd",
            "the workers do not say which Odoo they are: the URL is not that of Odoo's workers",
        ));
    }
    Ok(Version {
        major: major(serie),
        words,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reason(status: u16, location: &str, body: &str) -> &'static str {
        login_page(status, Some(location), body.as_bytes(), "acme.example")
            .map_or_else(|failure| failure.reason, |()| "good")
    }

    #[test]
    fn only_a_form_on_a_page_is_the_login_page() {
        let form = "<input name=\"login\"/><input name=\"password\"/>";
        assert_eq!(reason(200, "", form), "good");
        assert_eq!(reason(200, "", "<h1>Log in</h1>"), "LoginPageOdd");
        assert_eq!(reason(303, "/web/database/selector", form), "TenantNotListed");
        assert_eq!(
            reason(302, "https://elsewhere.example/", form),
            "TenantRedirected"
        );
        assert_eq!(reason(404, "", ""), "LoginPageMissing");
        assert_eq!(reason(500, "", form), "TenantBroken");
        assert_eq!(reason(503, "", ""), "WorkersUnavailable");
        assert_eq!(reason(403, "", ""), "LoginPageOdd");
    }

    #[test]
    fn an_answer_of_the_models_is_told_from_garbage() {
        let reason = |body: &str| json_rpc(200, body.as_bytes()).unwrap_err().reason;
        assert_eq!(json_rpc(200, br#"{"jsonrpc":"2.0","result":3}"#), Ok(json!(3)));
        assert_eq!(reason("<html>"), "AnswerOdd");
        assert_eq!(reason("{}"), "AnswerOdd");
        let denied =
            r#"{"error":{"data":{"name":"odoo.exceptions.AccessDenied","message":"Access Denied"}}}"#;
        assert_eq!(reason(denied), "ModelReadDenied");
        let broken =
            r#"{"error":{"data":{"name":"psycopg2.errors.UndefinedColumn","message":"column x\nLINE 1"}}}"#;
        let failure = json_rpc(200, broken.as_bytes()).unwrap_err();
        assert_eq!(failure.reason, "ModelReadFailed");
        assert!(
            failure.message.contains("UndefinedColumn: column x)"),
            "{failure}"
        );
    }

    #[test]
    fn a_version_says_its_major() {
        let odoo = |version: &str, serie: &str| {
            version_of(&json!({ "server_version": version, "server_serie": serie }))
        };
        assert_eq!(odoo("19.0-20251222", "19.0"), Some(19));
        assert_eq!(odoo("saas~18.2", "saas~18.2"), Some(18));
        assert_eq!(version(&json!({})).unwrap_err().reason, "AnswerOdd");
    }

    fn version_of(result: &Value) -> Option<u32> {
        version(result).unwrap().major
    }
}
