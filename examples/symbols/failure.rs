//! Why the program stops, and with which exit code.

use std::fmt;
use std::process::ExitCode;

/// Something the user asked for that can't be done. Not an answer of the server: those are statuses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// The command line is wrong, or names something that isn't there. Exit code 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Failure { code: 2, message: message.into() }
    }

    /// The command line is fine, but the machine does not let us do it. Exit code 1.
    pub(crate) fn runtime(message: impl Into<String>) -> Self {
        Failure { code: 1, message: message.into() }
    }

    /// The user pressed Ctrl-C. Exit code 130, as a shell has it.
    pub(crate) fn interrupted() -> Self {
        Failure { code: 130, message: "interrupted".to_owned() }
    }

    /// A runtime failure with its cause: "what: why".
    pub(crate) fn because(what: impl fmt::Display, why: impl fmt::Display) -> Self {
        Failure::runtime(format!("{what}: {why}"))
    }

    /// The code for the shell.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
