//! An alarm leaves the house: as a letter over STARTTLS, and posted to a webhook with its token.
//!
//! Must never: take an alarm for told because it stands on the page.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tests::site::Site;
use tests::wait;

use super::{Mail, SOON};

/// A minute without a reading, and at most a minute until everything is looked at again.
const ALARM: Duration = Duration::from_secs(240);

/// Takes what is posted: head and body of each.
fn hook() -> (SocketAddr, Receiver<(String, serde_json::Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (posted, taken) = channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert_ne!(reader.read_line(&mut head).unwrap(), 0, "cut off: {head}");
            }
            let length = head
                .to_lowercase()
                .split("content-length: ")
                .nth(1)
                .map(|rest| rest.lines().next().unwrap_or_default().trim().parse::<usize>().unwrap());
            let mut body = vec![0; length.unwrap_or_default()];
            reader.read_exact(&mut body).unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
            if posted.send((head, serde_json::from_slice(&body).unwrap())).is_err() {
                break;
            }
        }
    });
    (address, taken)
}

#[test]
fn a_silent_meter_is_told_by_mail_and_by_webhook_and_each_once() {
    let mail = Mail::new();
    let server = mail.start("starttls");
    let (hook, taken) = hook();
    // Nothing listens there any more.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (port, ca) = (&server.said, mail.authority.certificate.display());
    let site = Site::new().with_modbus_meter(dead, "quadro", "generale").with_text(&format!(
        "\n[alarms]\nsilent_after_periods = 1\nsilent_after_minutes = 1\nmail_to = [\"gestore@esempio.example\"]\n\
         webhook = \"http://{hook}/allarmi\"\nwebhook_token_file = \"token\"\n\
         [mail]\nserver = \"localhost\"\nport = {port}\nsecurity = \"starttls\"\nusername = \"consuntivo\"\n\
         password_file = \"password\"\nca_file = \"{ca}\"\nfrom = \"monitoraggio@esempio.example\"\n"
    ));
    std::fs::write(site.path().join("password"), "segreto\n").unwrap();
    std::fs::write(site.path().join("token"), "gettone-di-prova\n").unwrap();
    let daemon = site.start();
    let (head, body) = taken.recv_timeout(ALARM).unwrap_or_else(|_| panic!("no alarm: {}", daemon.log()));
    assert!(head.starts_with("POST /allarmi ") && head.contains("Bearer gettone-di-prova"), "{head}");
    assert_eq!(
        (&body["installation"], &body["event"], &body["kind"], &body["ended_at"]),
        (&"prova".into(), &"raised".into(), &"silent".into(), &serde_json::Value::Null),
        "{body}"
    );
    wait::until("a letter", SOON, || if mail.letters().len() == 1 { Ok(()) } else { Err(daemon.log()) });
    let about = mail.envelope(1);
    assert_eq!((&about["tls"], &about["to"][0]), (&true.into(), &"gestore@esempio.example".into()));
    let says = body["text"].as_str().unwrap();
    assert!(!says.is_empty() && about["text"].as_str().unwrap().contains(says), "{says}: {about}");
    assert!(!daemon.log().contains("gettone-di-prova"), "a secret in the log");
    assert!(daemon.stop().success());
    assert!(taken.try_recv().is_err() && mail.letters().len() == 1, "told twice");
}
