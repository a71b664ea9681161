//! `reload`: asks the server to read its configuration again, and prints what came of it.

use std::process::ExitCode;

use crate::{
    config::Place,
    instance::{self, Found},
    socket::{self, Answer, AskError, Question},
    status::{EXIT_SILENT, EXIT_STOPPED, EXIT_UNKNOWN},
};

/// Prints the report; the exit status is 1 where the old configuration or the old TLS credentials were kept.
pub(crate) fn run(place: &Place) -> ExitCode {
    let instance = match instance::look(place) {
        Found::Running(instance) => instance,
        Found::Dead { .. } | Found::Nobody => return told("Server is not running", EXIT_STOPPED),
        Found::Hidden(why) => return told(&why, EXIT_UNKNOWN),
    };
    match socket::ask(&instance.data_dir, Question::Reload) {
        Ok(Answer::Reload(report)) if !report.is_right() => {
            eprintln!("{report}");
            ExitCode::FAILURE
        }
        Ok(Answer::Reload(report)) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Ok(Answer::Error(why)) => told(&why, 1),
        Ok(Answer::Status(_)) => told("another question was answered", EXIT_UNKNOWN),
        Err(error @ AskError::Silent(_)) => told(&error.to_string(), EXIT_SILENT),
        Err(error) => told(&error.to_string(), EXIT_UNKNOWN),
    }
}

fn told(why: &str, exit: u8) -> ExitCode {
    eprintln!("{why}");
    ExitCode::from(exit)
}
