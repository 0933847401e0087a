//! Serves the pages over a made-up daemon, to look at them while working on them:
//! `cargo run -p dashboards --example fake -- 8481`, then open http://127.0.0.1:8481 . With `people` behind it there are
//! accounts: sign in by a role's name.
//!
//! Must never: be taken for the product. Its figures are set by hand.

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use dashboards::routes::{Options, router};
use dashboards::serve::serve;
use support::Fake;
use support::people::People;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port: u16 = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(8481);
    let folder = tempfile::tempdir()?;
    let fake = Fake::new(folder.path(), 64);
    let with_people = std::env::args().nth(2).as_deref() == Some("people");
    let people = if with_people { People::of_every_role() } else { People::nobody() };
    let app = router(Arc::<Fake>::clone(&fake), people, Options::default());
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        for second in 1_u32.. {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let at = {
                let mut now = fake.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *now = now.plus_seconds(1);
                *now
            };
            fake.set_power(0, Some(12_000.0 + 1_500.0 * (f64::from(second) / 5.0).sin()), at);
            // The second building loses its reading from time to time.
            fake.set_power(1, (second % 20 < 14).then_some(3_210.0 + f64::from(second % 7)), at);
        }
    });
    serve(listener, app, None, wait_for_end()).await
}

/// Ends with Ctrl-C; standard input may be closed.
async fn wait_for_end() {
    std::future::pending::<()>().await;
}
