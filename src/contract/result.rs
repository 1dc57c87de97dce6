//! What a Job ends with: an exit code, and a JSON document in its termination message.
//!
//! The document has at most [`RESULT_MAXIMUM_BYTES`], which is what a kubelet keeps of a termination message
//! (Kubernetes 1.36: 4096 bytes for a container). It never holds a secret. The function reads it from the status of
//! the Job's pod; one that is missing or unreadable is no result, never a guess.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Bytes that a kubelet keeps of a container's termination message.
pub const RESULT_MAXIMUM_BYTES: usize = 4096;
/// How many of those who could not be invited are named in a result that is too long. A Matrix id has up to 255 bytes.
const NOT_INVITED_SHOWN: usize = 10;

/// How odoo-job ends. The Jobs' podFailurePolicy knows these codes; they are from `sysexits.h` where one fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitCode {
    /// Done and proven.
    Done,
    /// Not done; trying again may help.
    Retry,
    /// Not done; trying again does not help.
    GiveUp,
    /// What is there is not ours to touch; nothing was touched.
    Refused,
}

impl ExitCode {
    /// All codes.
    pub const ALL: [Self; 4] = [Self::Done, Self::Retry, Self::GiveUp, Self::Refused];

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Retry => 75,
            Self::GiveUp => 70,
            Self::Refused => 78,
        }
    }

    /// The code of a number; `None` for one that is not ours (a crash, a signal).
    #[must_use]
    pub fn from_code(code: i32) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|known| i32::from(known.code()) == code)
    }
}

/// What a Job ended with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobResult {
    /// The command.
    pub command: String,
    /// How it ended.
    pub outcome: ExitCode,
    /// Why it did not end well: one word, as in a condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same in a sentence, with the way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The phase in which it ended, when not well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// What it found and made, when it ended well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
}

/// What a command found and made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Report {
    /// `template-build`.
    Template(TemplateReport),
    /// `tenant-init`.
    Tenant(TenantReport),
    /// `tenant-suspend`, `tenant-resume`, `tenant-release`.
    Access(AccessReport),
    /// `tenant-smoke`.
    Smoke(SmokeReport),
    /// `filestore-remove`, `template-remove`.
    Removed(RemovedReport),
    /// `room-create`, `room-retire`.
    Room(RoomReport),
    /// `portal-notify`, `erp-callback`.
    Notice(NoticeReport),
    /// `event-publish`.
    Event(EventReport),
    /// `backup`.
    Backup(BackupReport),
    /// `backup-prune`.
    Prune(PruneReport),
    /// `backup-verify`.
    Verify(VerifyReport),
}

/// A template that was built, or found as it is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateReport {
    /// The marker that it carries.
    pub marker: String,
    /// What it was built from.
    pub revision: String,
    /// When, as RFC 3339 in UTC.
    pub built_at: String,
    /// The modules that were asked for, with their versions.
    pub modules: BTreeMap<String, String>,
    /// How many modules are installed, with all that they need.
    pub module_count: u32,
    /// First 16 digits of the SHA-256 of all installed modules and versions (`name=version`, sorted, a line each).
    pub modules_digest: String,
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Files in the filestore.
    pub filestore_files: u64,
    /// Bytes in the filestore.
    pub filestore_bytes: u64,
}

/// Where a tenant's data came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A clone of the template.
    Template,
    /// An empty database that was initialised.
    Installed,
    /// A database that was there, and taken over.
    Adopted,
}

/// A tenant's database that was made, or found as it is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantReport {
    /// The marker that it carries.
    pub marker: String,
    /// Where its data came from.
    pub origin: Origin,
    /// Odoo's own id of the database (`database.uuid`).
    pub database_uuid: String,
    /// Version of the module `base`.
    pub base_version: String,
    /// How many modules are installed.
    pub module_count: u32,
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Files in the filestore.
    pub filestore_files: u64,
    /// Whether the administrator can log in with a password that was given.
    pub password_set: bool,
}

/// Who may use a database, after a change of that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessReport {
    /// The role that owns it now.
    pub owner: String,
    /// Sessions that were ended.
    pub sessions_ended: u32,
    /// Whether it was so before, and nothing had to be changed.
    pub unchanged: bool,
}

/// A tenant that answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SmokeReport {
    /// Milliseconds until the login page was there.
    pub login_page_milliseconds: u64,
    /// Milliseconds of the read through Odoo's models.
    pub model_read_milliseconds: u64,
    /// Version that the workers say they are.
    pub server_version: String,
}

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemovedReport {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A support room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomReport {
    /// Its id.
    pub room_id: String,
    /// Its alias, whole.
    pub alias: String,
    /// Whether it was there before.
    pub existed: bool,
    /// Who could not be invited, as Matrix id or mail address; somebody has to do it by hand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_invited: Vec<String>,
}

/// A notice that was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NoticeReport {
    /// Status of the answer.
    pub status: u16,
    /// How often it was sent.
    pub attempts: u32,
}

/// An event that was published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventReport {
    /// Id of the entry in the stream; empty where a REST endpoint took it.
    pub entry: String,
    /// Whether it was there before.
    pub existed: bool,
}

/// A backup that is complete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupReport {
    /// Its id, as `backup-verify` and a restore take it.
    pub id: String,
    /// When the dump began, as RFC 3339 in UTC: the state that it holds.
    pub taken_at: String,
    /// Bytes of the dump as it is stored.
    pub dump_bytes: u64,
    /// Bytes of the filestore archive as it is stored.
    pub filestore_bytes: u64,
    /// Files in it.
    pub filestore_files: u64,
    /// Attachments whose file is missing in the filestore; their content was lost before this backup.
    pub missing_files: u64,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Older backups that were pruned.
    pub pruned: u32,
}

/// What was pruned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PruneReport {
    /// Backups that were deleted.
    pub deleted: u32,
    /// Backups that are kept.
    pub kept: u32,
}

/// What was verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyReport {
    /// The backup.
    pub id: String,
    /// Bytes that were read back.
    pub bytes: u64,
    /// Files of the filestore whose names were compared with their content; 0 when it could not be opened.
    pub files: u64,
    /// Whether the content was opened, and not only its checksum compared: an encrypted one needs its identity.
    pub opened: bool,
}

impl JobResult {
    /// The document, within what a kubelet keeps: a message or a list that is too long is cut, never the rest.
    #[must_use]
    pub fn to_message(&self) -> String {
        // A result is plain data, which serde_json can always represent.
        let text = |result: &Self| serde_json::to_string(result).unwrap_or_default();
        let whole = text(self);
        if whole.len() <= RESULT_MAXIMUM_BYTES {
            return whole;
        }
        let mut shorter = self.clone();
        if let Some(Report::Template(template)) = &mut shorter.report {
            // The digest still tells a change of any of them.
            template.modules.clear();
        }
        if let Some(Report::Room(room)) = &mut shorter.report {
            // The log names all of them.
            room.not_invited.truncate(NOT_INVITED_SHOWN);
        }
        if let Some(message) = &mut shorter.message {
            let excess = text(&Self {
                message: Some(String::new()),
                ..self.clone()
            })
            .len();
            // A character may need six bytes in JSON; what is cut is the end.
            let room = RESULT_MAXIMUM_BYTES.saturating_sub(excess) / 6;
            let end = message
                .char_indices()
                .nth(room.saturating_sub(1))
                .map_or(message.len(), |(end, _)| end);
            message.truncate(end);
            message.push('…');
        }
        text(&shorter)
    }

    /// Reads a document; `None` for anything else, such as the last lines of a program that crashed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text.trim()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(message: String) -> JobResult {
        JobResult {
            command: "tenant-init".to_owned(),
            outcome: ExitCode::GiveUp,
            reason: Some("BaseNotInstalled".to_owned()),
            message: Some(message),
            phase: Some("prove".to_owned()),
            report: None,
        }
    }

    #[test]
    fn exit_codes_are_read_back() {
        for code in ExitCode::ALL {
            assert_eq!(ExitCode::from_code(code.code().into()), Some(code));
        }
        assert_eq!(ExitCode::from_code(137), None);
    }

    #[test]
    fn a_result_is_read_back() {
        let result = failed("base is not installed".to_owned());
        assert_eq!(JobResult::parse(&result.to_message()), Some(result));
        assert_eq!(JobResult::parse("thread 'main' panicked"), None);
    }

    #[test]
    fn a_long_list_of_people_is_cut() {
        let people = |count| {
            let mut result = failed(String::new());
            result.report = Some(Report::Room(RoomReport {
                room_id: "!room:x.org".to_owned(),
                not_invited: (0..count)
                    .map(|number| format!("@person-{number}:x.org"))
                    .collect(),
                ..RoomReport::default()
            }));
            let text = result.to_message();
            assert!(text.len() <= RESULT_MAXIMUM_BYTES, "{}", text.len());
            match JobResult::parse(&text).expect("it is still JSON").report {
                Some(Report::Room(room)) => room.not_invited.len(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(people(50), 50);
        assert_eq!(people(1000), NOT_INVITED_SHOWN);
    }

    #[test]
    fn a_kubelet_keeps_every_result_whole() {
        for letter in ["a", "\"", "\n", "\u{1}", "č", "🦀"] {
            let result = failed(letter.repeat(6000));
            let text = result.to_message();
            assert!(text.len() <= RESULT_MAXIMUM_BYTES, "{letter:?}: {}", text.len());
            let read = JobResult::parse(&text).expect("it is still JSON");
            assert_eq!(read.reason, result.reason);
            assert!(read.message.is_some_and(|message| message.starts_with(letter)));
        }
    }

    #[test]
    fn a_long_list_of_modules_goes_before_the_rest() {
        let modules = (0..400).map(|number| (format!("module_{number}"), "18.0.1.0".to_owned()));
        let report = TemplateReport {
            modules: modules.collect(),
            module_count: 400,
            ..TemplateReport::default()
        };
        let result = JobResult {
            outcome: ExitCode::Done,
            reason: None,
            message: None,
            phase: None,
            report: Some(Report::Template(report)),
            ..failed(String::new())
        };
        let read = JobResult::parse(&result.to_message()).expect("it is JSON");
        let Some(Report::Template(template)) = read.report else {
            panic!("it is a template's")
        };
        assert_eq!((template.modules.len(), template.module_count), (0, 400));
    }
}
