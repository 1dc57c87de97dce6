//! Addresses that are asked.
//!
//! In: a URL of the contract. Out: one that can be asked, or a failure that names the argument. A URL is shown in manifests
//! and logs, so one with a password is refused; its query may hold a key, so it is never shown.

use reqwest::Url;

use crate::job::{
    failure::{Attempted, Failure},
    secrets::Secret,
};

/// Reads the URL of an argument.
pub fn address(argument: &str, text: &str) -> Attempted<Url> {
    let invalid = |problem: &str| {
        Failure::give_up(
            "AddressInvalid",
            format!("--{argument} is no address that can be asked: {problem}"),
        )
    };
    let url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid(&format!(
            "it begins with {}:, and http: or https: is spoken",
            url.scheme()
        )));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::give_up(
            "PasswordInAddress",
            format!(
                "--{argument} has a user name or a password: take them out, secrets come from the environment"
            ),
        ));
    }
    Ok(url)
}

/// An address below another: each segment is encoded, so a name with `/`, `#` or `%` stays one segment.
pub fn with_path<'a>(base: &Url, segments: impl IntoIterator<Item = &'a str>) -> Url {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// The address for messages: without query and fragment.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// What of an address may be secret: the values of its query, which a peer may repeat in its answer.
pub fn secrets_of(url: &Url) -> impl Iterator<Item = Secret> {
    url.query_pairs()
        .map(|(_, value)| Secret::new(value.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        assert!(address("url", "http://portal:3000/api?x=1").is_ok());
        for (text, reason) in [
            ("portal", "AddressInvalid"),
            ("redis://portal", "AddressInvalid"),
            ("http://", "AddressInvalid"),
            ("http://user:hunter22@portal/", "PasswordInAddress"),
            ("https://token@portal/", "PasswordInAddress"),
        ] {
            let failure = address("url", text).unwrap_err();
            assert_eq!(failure.reason, reason, "{text}");
            assert!(failure.message.contains("--url"), "{failure}");
            assert!(!failure.message.contains("hunter22"), "{failure}");
        }
    }

    #[test]
    fn a_segment_stays_one() {
        let base = address("homeserver", "https://matrix.example/base/?q=1#f").unwrap();
        let url = with_path(&base, ["directory", "#a/b%2f\"c?é:x.org"]);
        assert_eq!(
            url.as_str(),
            "https://matrix.example/base/directory/%23a%2Fb%252f%22c%3F%C3%A9:x.org"
        );
    }

    #[test]
    fn a_query_is_not_shown() {
        let url = address("url", "http://portal/hook?token=hunter22#x").unwrap();
        assert_eq!(shown(&url), "http://portal/hook");
    }
}
