//! How long the region's table takes with 5 000 projects over 5 years, through the whole server:
//! `cargo run -p dashboards --example region`.
//!
//! Must never: be taken for the product. Its figures are made up.

#[expect(dead_code, reason = "the tests use what this example does not")]
#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics::region::Case;
use analytics::result::Verdict;
use dashboards::desk::{Desk as _, Region};
use dashboards::routes::{Options, router};
use dashboards::serve::serve;
use model::{Intervention, ProjectId, SchemeId};
use support::Fake;
use support::people::People;
use tokio::net::TcpListener;

const PROJECTS: usize = 5_000;
const YEARS: i32 = 5;
const ROUNDS: usize = 30;
/// What an officer asks for: everything, sorted, filtered, searched, grouped, the last page, the files.
const ASKED: [(&str, &str); 8] = [
    ("first page", "/region"),
    ("sorted by attainment", "/region?sort=attainment&desc=1"),
    ("one year, missed", "/region?year=2023&verdict=missed&sort=coverage"),
    ("search", "/region?text=comune%20417"),
    ("last page of 500", "/region?per=500&page=50"),
    ("grouped by beneficiary", "/region?group=beneficiary"),
    ("grouped by intervention", "/region?group=intervention"),
    ("API", "/api/v1/region?sort=due"),
];

/// Five thousand projects made of one, each another in every field that is looked at.
fn cases(first: &Case) -> Vec<Case> {
    let mut all = Vec::with_capacity(PROJECTS * YEARS as usize);
    for number in 0..PROJECTS {
        for year in 0..YEARS {
            let mut case = first.clone();
            let share = ((number * 7919 + year as usize * 104_729) % 1_500) as f64 / 1_000.0;
            case.project = ProjectId::new(&format!("progetto-{number:05}")).unwrap_or(first.project.clone());
            case.title = format!("Riqualificazione dell'edificio {number}");
            case.beneficiary = format!("Comune {}", number % 1_200);
            case.scheme = SchemeId::new(&format!("bando-{}", number % 7)).unwrap_or(first.scheme.clone());
            case.scheme_title = format!("Bando {}", number % 7);
            case.province = ["TO", "CN", "AL", "AT", "BI", "NO", "VB", "VC"][number % 8];
            case.interventions = vec![Intervention::ALL[number % 9], Intervention::ALL[(number / 9) % 9]];
            case.interventions.dedup();
            case.year = 2021 + year;
            case.coverage_ratio = Some(1.0 - share / 3.0);
            for kpi in &mut case.kpis {
                kpi.attainment_ratio = (number % 11 != 0).then_some(share);
                kpi.achieved = kpi.attainment_ratio.and_then(|r| kpi.target.map(|t| t * r));
                kpi.verdict = match kpi.attainment_ratio {
                    None => Verdict::Undetermined,
                    Some(ratio) if 1.0 <= ratio => Verdict::Reached,
                    Some(_) => Verdict::Missed,
                };
            }
            case.index();
            all.push(case);
        }
    }
    all
}

fn ask(address: SocketAddr, path: &str) -> std::io::Result<(Duration, usize)> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nCookie: consuntivo=regional_officer\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    assert!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{path}: {}",
        String::from_utf8_lossy(&answer[..200.min(answer.len())])
    );
    Ok((begun.elapsed(), answer.len()))
}

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let folder = tempfile::tempdir()?;
    let fake = Fake::new(folder.path(), 64);
    let small = fake.region().expect("the made-up daemon has a table");
    let cases = cases(&small.cases[0]);
    println!("{} cases of {PROJECTS} projects, {} KPI each", cases.len(), small.cases[0].kpis.len());
    fake.kept().region = Some(Arc::new(Region { day: small.day, cases, pending: Vec::new() }));
    let app = router(fake, People::of_every_role(), Options::default());
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    runtime.spawn(serve(listener, app, None, std::future::pending::<()>()));
    for (name, path) in ASKED {
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..ROUNDS {
            let (time, length) = ask(address, path)?;
            times.push(time.as_secs_f64() * 1e3);
            bytes = length;
        }
        times.sort_by(f64::total_cmp);
        println!(
            "{name:24} median {:6.1} ms, worst of {ROUNDS} {:6.1} ms, {:5} kB",
            times[ROUNDS / 2],
            times[ROUNDS - 1],
            bytes / 1_000
        );
    }
    Ok(())
}
