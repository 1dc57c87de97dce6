//! Files and folders of manifests.
//!
//! In: paths. Out: [`Document`]s in the order in which Crossplane's command line reads them, and a [`Problem`] for each
//! thing that is wrong; reading goes on after one, so that all are seen at once. Folders are not searched below; in them
//! only `.yaml`, `.yml` and `.json` count (the real command line leaves `.json` out).

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::document::{self, Segment, SyntaxError};

const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];
const SEPARATOR: &str = "---";

/// One object in a file.
#[derive(Clone, Debug)]
pub struct Document {
    pub value: Value,
    file: PathBuf,
    /// Counted from 1; none when the file has one document only.
    number: Option<usize>,
    /// The lines of the file before it.
    lines_before: usize,
    text: String,
}

/// Something in a file that keeps it from being used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    file: PathBuf,
    document: Option<usize>,
    line: Option<usize>,
    field: String,
    message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            document,
            line,
            field,
            message,
        } = self;
        write!(formatter, "cannot read {}: ", file.display())?;
        match (document, line) {
            (Some(document), Some(line)) => write!(formatter, "document {document}, line {line}: ")?,
            (Some(document), None) => write!(formatter, "document {document}: ")?,
            (None, Some(line)) => write!(formatter, "line {line}: ")?,
            (None, None) => {}
        }
        if field.is_empty() {
            formatter.write_str(message)
        } else {
            write!(formatter, "{field}: {message}")
        }
    }
}

impl Problem {
    /// A problem with a file as a whole.
    pub fn with_file(file: &Path, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            document: None,
            line: None,
            field: String::new(),
            message: message.into(),
        }
    }

    fn with_access(file: &Path, error: &io::Error) -> Self {
        Self::with_file(file, error.to_string())
    }
}

impl Document {
    /// A problem with a field of the object.
    pub fn problem(&self, path: &[&str], message: impl Into<String>) -> Problem {
        let segments: Vec<Segment> = path.iter().map(|key| Segment::Key((*key).to_owned())).collect();
        self.problem_at(&segments, message)
    }

    /// A problem with a field of the object, or with an element of a list in it.
    pub fn problem_at(&self, path: &[Segment], message: impl Into<String>) -> Problem {
        Problem {
            file: self.file.clone(),
            document: self.number,
            line: document::line_of(&self.text, path).map(|line| line + self.lines_before),
            field: document::shown(path),
            message: message.into(),
        }
    }

    /// The line of the file that a field is on, if the object has the field.
    pub fn line_of(&self, path: &[Segment]) -> Option<usize> {
        let value = path.iter().try_fold(&self.value, |value, segment| match segment {
            Segment::Key(key) => value.get(key),
            Segment::Index(index) => value.get(index),
        });
        value
            .and_then(|_| document::line_of(&self.text, path))
            .map(|line| line + self.lines_before)
    }
}

/// Reads a file with one object.
pub fn read_one(file: &Path, problems: &mut Vec<Problem>) -> Option<Document> {
    let before = problems.len();
    let mut documents = read_file(file, problems);
    if documents.len() != 1 {
        if problems.len() == before {
            problems.push(Problem::with_file(
                file,
                format!("expected one object, found {}", documents.len()),
            ));
        }
        return None;
    }
    documents.pop()
}

/// Reads the manifests of a file, or of all files in a folder by name.
pub fn read_all(path: &Path, problems: &mut Vec<Problem>) -> Vec<Document> {
    match fs::metadata(path) {
        Err(error) => {
            problems.push(Problem::with_access(path, &error));
            Vec::new()
        }
        Ok(metadata) if metadata.is_dir() => match list(path, &EXTENSIONS) {
            Ok(files) if files.is_empty() => {
                let message = "the folder has no manifests (.yaml, .yml, .json)";
                problems.push(Problem::with_file(path, message));
                Vec::new()
            }
            Ok(files) => files.iter().flat_map(|file| read_file(file, problems)).collect(),
            Err(problem) => {
                problems.push(problem);
                Vec::new()
            }
        },
        Ok(_) => read_file(path, problems),
    }
}

/// Reads the OpenAPI documents (`.json`) of a folder and of those in it.
pub fn read_schemas(folder: &Path, problems: &mut Vec<Problem>) -> Vec<Value> {
    let mut files = Vec::new();
    if let Err(problem) = walk(folder, &mut files) {
        problems.push(problem);
        return Vec::new();
    }
    if files.is_empty() {
        problems.push(Problem::with_file(
            folder,
            "the folder has no OpenAPI documents (.json)",
        ));
    }
    files
        .iter()
        .filter_map(|file| match read_json(file) {
            Ok(value) => Some(value),
            Err(problem) => {
                problems.push(problem);
                None
            }
        })
        .collect()
}

fn read_json(file: &Path) -> Result<Value, Problem> {
    let bytes = fs::read(file).map_err(|error| Problem::with_access(file, &error))?;
    serde_json::from_slice(&bytes).map_err(|error| Problem {
        line: Some(error.line()),
        ..Problem::with_file(file, error.to_string())
    })
}

/// The files of a folder and of those in it, by name within each.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Problem> {
    for path in entries(folder)? {
        if path.is_dir() {
            walk(&path, files)?;
        } else if has_extension(&path, &["json"]) {
            files.push(path);
        }
    }
    Ok(())
}

fn list(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>, Problem> {
    let all = entries(folder)?;
    Ok(all
        .into_iter()
        .filter(|path| !path.is_dir() && has_extension(path, extensions))
        .collect())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let problem = |error: io::Error| Problem::with_access(folder, &error);
    let mut paths = fs::read_dir(folder)
        .map_err(problem)?
        .map(|entry| entry.map(|entry| entry.path()).map_err(problem))
        .collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension()
        .is_some_and(|found| extensions.iter().any(|extension| found == *extension))
}

fn read_file(file: &Path, problems: &mut Vec<Problem>) -> Vec<Document> {
    let text = match fs::read(file) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()]
                    .split(|byte| *byte == b'\n')
                    .count()
                    - 1;
                problems.push(Problem {
                    line: Some(line),
                    ..Problem::with_file(file, "not UTF-8")
                });
                return Vec::new();
            }
        },
        Err(error) => {
            problems.push(Problem::with_access(file, &error));
            return Vec::new();
        }
    };
    read_documents(file, &text, problems)
}

/// The documents of a text; problems are pushed, and empty documents left out.
pub fn read_documents(file: &Path, text: &str, problems: &mut Vec<Problem>) -> Vec<Document> {
    let parts: Vec<(usize, String)> = split(text);
    let is_single = parts.len() == 1;
    let mut documents = Vec::new();
    for (index, (lines_before, text)) in parts.into_iter().enumerate() {
        let number = (!is_single).then_some(index + 1);
        match document::read(&text) {
            Ok(Value::Null) => {}
            Ok(value) => documents.push(Document {
                value,
                file: file.to_owned(),
                number,
                lines_before,
                text,
            }),
            Err(SyntaxError { field, line, message }) => problems.push(Problem {
                file: file.to_owned(),
                document: number,
                line: line.map(|line| line + lines_before),
                field,
                message,
            }),
        }
    }
    documents
}

/// Splits at lines that start with `---`, whatever they are part of, as Crossplane's reader does.
fn split(text: &str) -> Vec<(usize, String)> {
    let mut parts = vec![(0, String::new())];
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if line.starts_with(SEPARATOR) {
            parts.push((index + 1, String::new()));
        } else if let Some((_, part)) = parts.last_mut() {
            part.push_str(line);
        }
    }
    parts.retain(|(_, part)| !part.trim().is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(text: &str) -> (Vec<Document>, Vec<String>) {
        let mut problems = Vec::new();
        let documents = read_documents(Path::new("a.yaml"), text, &mut problems);
        (documents, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_problem_of_every_document_is_told_with_its_line_in_the_file() {
        let (found, problems) = documents("a: 1\n---\n# two\nb: 1\nb: 2\n--- # three\n\nc: [\n---\nd: 1\n");
        assert_eq!(found.len(), 2);
        assert_eq!(
            problems[0],
            "cannot read a.yaml: document 2, line 5: b: the key is there twice"
        );
        assert!(
            problems[1].starts_with("cannot read a.yaml: document 3, line "),
            "{problems:?}"
        );
    }

    #[test]
    fn a_problem_with_a_field_names_its_line() {
        let (found, _) = documents("---\nkind: A\nmetadata:\n  name: x\n");
        let problem = found[0].problem(&["metadata", "name"], "must be y");
        assert_eq!(
            problem.to_string(),
            "cannot read a.yaml: line 4: metadata.name: must be y"
        );
        assert_eq!(found[0].line_of(&[Segment::Key("spec".to_owned())]), None);
    }

    #[test]
    fn a_file_without_anything_has_no_documents_and_no_problems() {
        assert!(documents("# only a comment\n---\n").0.is_empty());
    }
}
