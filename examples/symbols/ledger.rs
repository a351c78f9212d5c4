//! Which answers are right: what was uploaded in which order, and what look-ups without the cache say.

use crate::elf;
use crate::name::Name;
use crate::service::Answer;
use crate::workload::Upload;
use axum::body::Bytes;
use axum::http::StatusCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What an answer of a name that gets uploads is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The version that was the newest when the question was asked, or a newer one.
    Right,
    /// A version that had been replaced before the question was asked.
    Stale,
    /// No version that there ever was.
    Wrong,
}

/// The versions of one name that gets uploads. Each has an answer of its own, since each is one byte longer.
pub(crate) struct Versions {
    name: Name,
    base: Bytes,
    /// The right answer to each version; the first is the one before any upload.
    answers: Mutex<Vec<Answer>>,
    /// The newest version whose upload has been confirmed.
    confirmed: AtomicUsize,
    /// Held during an upload: two at once would leave open which is the newer.
    uploading: tokio::sync::Mutex<()>,
}

impl Versions {
    /// Of a name which is answered with `first` before any upload.
    pub(crate) fn new(name: Name, upload: &Upload, first: Answer) -> Self {
        Versions {
            name,
            base: upload.base.clone(),
            answers: Mutex::new(vec![first]),
            confirmed: AtomicUsize::new(0),
            uploading: tokio::sync::Mutex::new(()),
        }
    }

    /// Begins the upload of the next version. No other begins until it is dropped.
    pub(crate) async fn begin(&self) -> Result<NextVersion<'_>, String> {
        let alone = self.uploading.lock().await;
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let number = answers.len();
        let mut content = self.base.to_vec();
        content.resize(content.len() + number, b'#');
        let facts = elf::facts(&*content).map_err(|defect| format!("version {number} of {:?}: {defect}", self.name))?;
        answers.push(Answer::to_look_up(&self.name, Some(&facts)));
        Ok(NextVersion { versions: self, number, content: content.into(), _alone: alone })
    }

    /// The version that an answer must show at least, if its question is asked now.
    pub(crate) fn floor(&self) -> usize {
        self.confirmed.load(Ordering::Acquire)
    }

    /// What an answer is worth whose question was asked when the floor was this.
    pub(crate) fn judge(&self, floor: usize, answer: &Answer) -> Verdict {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        match answers.iter().rposition(|other| other == answer) {
            Some(version) if version >= floor => Verdict::Right,
            Some(_) => Verdict::Stale,
            None => Verdict::Wrong,
        }
    }
}

/// An upload that is under way.
pub(crate) struct NextVersion<'a> {
    versions: &'a Versions,
    number: usize,
    pub(crate) content: Bytes,
    _alone: tokio::sync::MutexGuard<'a, ()>,
}

impl NextVersion<'_> {
    /// Takes the server's answer to the upload: from now on this version is the least that may be seen.
    pub(crate) fn confirm(self, answer: &Answer) -> Result<(), String> {
        if answer.status != StatusCode::CREATED {
            let text = String::from_utf8_lossy(&answer.body);
            return Err(format!("upload of {}: {} {text}", self.versions.name.path(), answer.status));
        }
        self.versions.confirmed.store(self.number, Ordering::Release);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn versions() -> Versions {
        let name = Name::new("lib", &"01".repeat(20)).expect("a name");
        let upload = Upload { index: 0, base: sample::elf(&[1; 20], &[]).into() };
        let first = Answer::to_look_up(&name, None);
        Versions::new(name, &upload, first)
    }

    #[tokio::test]
    async fn an_answer_older_than_the_last_confirmed_upload_is_stale() {
        let versions = versions();
        let nothing = Answer::to_look_up(&versions.name, None);
        assert_eq!(versions.judge(versions.floor(), &nothing), Verdict::Right);
        let before = versions.floor();

        let next = versions.begin().await.expect("a version");
        let facts = elf::facts(&*next.content).expect("a sound file");
        let answer = Answer::to_look_up(&versions.name, Some(&facts));
        assert_eq!(versions.judge(before, &answer), Verdict::Right, "it may be seen before it is confirmed");
        let created = Answer { status: StatusCode::CREATED, body: Bytes::new() };
        next.confirm(&created).expect("confirmed");

        assert_eq!(versions.judge(before, &nothing), Verdict::Right, "asked before the upload was confirmed");
        assert_eq!(versions.judge(versions.floor(), &nothing), Verdict::Stale);
        assert_eq!(versions.judge(versions.floor(), &answer), Verdict::Right);
        assert_eq!(versions.judge(0, &created), Verdict::Wrong);
    }

    #[tokio::test]
    async fn an_upload_that_failed_binds_nobody() {
        let versions = versions();
        let next = versions.begin().await.expect("a version");
        let refused = Answer { status: StatusCode::SERVICE_UNAVAILABLE, body: Bytes::new() };
        assert!(next.confirm(&refused).expect_err("refused").contains("503"));
        assert_eq!(versions.floor(), 0);
    }
}
