//! The API of the real binary against programs that others wrote: openapi-spec-validator judges its document,
//! schemathesis calls every operation as each role and holds the answers against the document.
//!
//! Must never: touch a daemon that is not this test's own.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tests::daemon::{Daemon, binary};
use tests::{repo, wait};

/// Three years of readings are replayed before the pages open.
const LIVE: Duration = Duration::from_secs(180);
const SOON: Duration = Duration::from_secs(30);
const ROLES: [&str; 5] =
    ["legal_representative", "data_entry", "facility_manager", "regional_officer", "administrator"];

fn demo(folder: &Path) -> Daemon {
    let mut command = Command::new(binary());
    command.args(["demo", "--listen", "127.0.0.1:0", "--dir"]).arg(folder.join("demo-data"));
    let mut running = Daemon::spawn_command(command, &folder.join("demo.log"));
    running.await_ready_within(LIVE);
    running
}

/// The one-time link of each role, as `role link`: the demonstration prints each with the address it was told.
fn links(running: &Daemon) -> String {
    let found = |log: &str| -> Vec<String> {
        let of = |role: &&str| {
            let line = log.lines().find_map(|line| line.strip_prefix(&format!("{role}: http://")))?;
            let (_, path) = line.split_once('/')?;
            Some(format!("{role} http://{}/{path}\n", running.address()))
        };
        ROLES.iter().filter_map(of).collect()
    };
    wait::until("a link of each role", SOON, || {
        let links = found(&running.log());
        if links.len() == ROLES.len() { Ok(links.concat()) } else { Err(running.log()) }
    })
}

#[test]
fn no_request_of_any_role_brings_a_server_error_or_an_answer_that_is_not_documented() {
    let folder = tempfile::tempdir().unwrap();
    let running = demo(folder.path());
    let python = repo::root().join("target/venv/bin/python");
    let mut child = Command::new(&python)
        .arg(repo::root().join("tests/field/api_fuzz.py"))
        .arg(format!("http://{}", running.address()))
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{} cannot be started ({e}); `make test` installs it", python.display()));
    child.stdin.take().unwrap().write_all(links(&running).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (said, erred) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{erred}");
    for role in ROLES {
        assert!(said.contains(&format!("{role}: ")), "{role} called nothing:\n{said}");
    }
    println!("{said}");
    assert!(!running.log().contains("panicked"), "{}", running.log());
    assert!(running.stop().success());
}
