//! A folder of meters, analysed on every core, one JSON line each in order of file and name.
//!
//! Must never: let one wrong file stop the others, or guess which station's weather a meter had.
//!
//! A folder holds meter files (`*.csv`), or folders of such; one meter a file, or several with a column `meter`. Which
//! weather each has is said by `--temperature` for all, or by a list of meters in the folder or the one above:
//! `meters.json` (an object of meters with `weather`, `fuel` and, if any, `normal_year`) or `truth.csv` (with columns
//! `meter` and `weather`). The weather `w` is the file `weather_daily/w.csv` in the folder or the one above.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use analytics::analysis::Window;
use chrono::NaiveDate;
use serde_json::{Value, json};

use super::{AnalyzeArgs, Fuel, Job, Weather, jobs, print, read, run, stem, temperatures};
use crate::exit::{Exit, Failure};

/// Files and folders that are not meters.
const NOT_METERS: [&str; 2] = ["truth", "meters"];
const WEATHER: &str = "weather_daily";

/// What a list of meters says of one.
#[derive(Debug, Clone, Default)]
struct Listed {
    weather: Option<String>,
    fuel: Option<String>,
    /// Days of the meter's own weather, or another weather as a whole.
    normal: Option<Window>,
    normal_weather: Option<String>,
}

type List = BTreeMap<String, Listed>;

/// One meter with its weather.
struct Task {
    file: PathBuf,
    job: Result<Job, String>,
    temperature: Option<PathBuf>,
    normal: Option<PathBuf>,
}

pub(super) fn analyze(args: &AnalyzeArgs, dir: &Path) -> Result<Exit, Failure> {
    let tasks = tasks(args, dir)?;
    if tasks.is_empty() {
        return Err(Failure::bad_input(format!("{} holds no meter file (*.csv)", dir.display())));
    }
    let mut weather = Weather::new();
    for path in tasks.iter().flat_map(|t| [&t.temperature, &t.normal]).flatten() {
        if !weather.contains_key(path) {
            let means = temperatures(path).map_err(|failure| format!("{:#}", failure.error));
            weather.insert(path.clone(), means);
        }
    }
    let lines = parallel(&tasks, |task| line(args, task, &weather));
    let wrong = lines.iter().filter(|line| line.get("error").is_some()).count();
    for line in &lines {
        println!("{line}");
    }
    if 0 < wrong {
        return Err(Failure::bad_input(format!(
            "{wrong} of {} meters were not analysed; their lines have an error",
            lines.len()
        )));
    }
    Ok(Exit::OK)
}

/// Every task's line, in their order.
fn parallel(tasks: &[Task], work: impl Fn(&Task) -> Value + Sync) -> Vec<Value> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Value)>> = Mutex::new(Vec::with_capacity(tasks.len()));
    let threads = thread::available_parallelism().map_or(1, usize::from).min(tasks.len());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((i, task)) = {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    tasks.get(i).map(|task| (i, task))
                } {
                    let value = work(task);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((i, value));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, value)| value).collect()
}

fn line(args: &AnalyzeArgs, task: &Task, weather: &Weather) -> Value {
    let file = task.file.display().to_string();
    let name = task.job.as_ref().map_or_else(|_| stem(&task.file), |job| job.name.clone());
    let error = |why: String| json!({"meter": name, "file": file, "error": why});
    let job = match &task.job {
        Ok(job) => job,
        Err(why) => return error(why.clone()),
    };
    let of = |path: &Option<PathBuf>| path.as_ref().and_then(|p| weather.get(p));
    let temperatures = match of(&task.temperature) {
        Some(Ok(means)) => means,
        Some(Err(why)) => return error(why.clone()),
        None => {
            return error(format!(
                "no list says which weather {name} has; give --temperature, or meters.json beside the folder"
            ));
        }
    };
    let normal = match of(&task.normal) {
        Some(Ok(means)) => Some(means),
        Some(Err(why)) => return error(why.clone()),
        None => None,
    };
    match run(args, job, temperatures, normal) {
        Ok(answer) => print::json(Some(&[("meter", &name), ("file", &file)]), &answer),
        Err(failure) => error(format!("{:#}", failure.error)),
    }
}

fn tasks(args: &AnalyzeArgs, dir: &Path) -> Result<Vec<Task>, Failure> {
    let list = list(dir)?;
    let mut tasks = Vec::new();
    for file in meter_files(dir)? {
        let stem = stem(&file);
        match jobs(&file, &stem) {
            Ok(all) => tasks.extend(all.into_iter().map(|job| task(args, dir, &file, job, &list))),
            Err(failure) => tasks.push(Task {
                job: Err(format!("{:#}", failure.error)),
                file,
                temperature: None,
                normal: None,
            }),
        }
    }
    Ok(tasks)
}

fn task(args: &AnalyzeArgs, dir: &Path, file: &Path, mut job: Job, list: &List) -> Task {
    let listed = list.get(&job.name).cloned().unwrap_or_default();
    job.fuel = listed.fuel.as_deref().map(Fuel::parse);
    job.normal = listed.normal;
    let station = |name: &String| weather_file(dir, name);
    let temperature = args.temperature.clone().or_else(|| listed.weather.as_ref().and_then(station));
    let normal = args.normal_temperature.clone().or_else(|| listed.normal_weather.as_ref().and_then(station));
    Task { file: file.to_owned(), job: Ok(job), temperature, normal }
}

/// In the folder or the one above.
fn near(dir: &Path, name: &str) -> Option<PathBuf> {
    let above = dir.canonicalize().ok().and_then(|d| d.parent().map(Path::to_owned));
    [Some(dir.to_owned()), above].into_iter().flatten().map(|d| d.join(name)).find(|p| p.exists())
}

fn weather_file(dir: &Path, name: &str) -> Option<PathBuf> {
    // A name with a path in it is no station's.
    let plain = !name.is_empty() && !name.contains(['/', '\\']) && !name.starts_with('.');
    plain.then(|| near(dir, &format!("{WEATHER}/{name}.csv"))).flatten()
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let cannot = |e: std::io::Error| {
        Failure::bad_input(format!("cannot list {}: {}", dir.display(), super::next_step(&e)))
    };
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).map_err(cannot)? {
        all.push(entry.map_err(cannot)?.path());
    }
    all.sort();
    Ok(all)
}

fn meter_files(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let is_meter = |p: &PathBuf| {
        p.is_file()
            && p.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"))
            && !NOT_METERS.contains(&stem(p).as_str())
    };
    let mut files = Vec::new();
    for entry in entries(dir)? {
        if entry.is_dir() && !entry.ends_with(WEATHER) {
            // A folder with a list of its own is a collection of its own.
            if !entry.join("truth.csv").exists() {
                files.extend(entries(&entry)?.into_iter().filter(is_meter));
            }
        } else if is_meter(&entry) {
            files.push(entry);
        }
    }
    Ok(files)
}

fn list(dir: &Path) -> Result<List, Failure> {
    if let Some(path) = Some(dir.join("truth.csv")).filter(|p| p.exists()) {
        return of_csv(&path);
    }
    match near(dir, "meters.json") {
        Some(path) => of_json(&path),
        None => Ok(List::new()),
    }
}

fn of_csv(path: &Path) -> Result<List, Failure> {
    let text = String::from_utf8_lossy(&read(path)?).into_owned();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').map(str::trim).collect();
    let place = |name: &str| {
        header
            .iter()
            .position(|h| *h == name)
            .ok_or_else(|| Failure::bad_input(format!("{}: the header has no column {name}", path.display())))
    };
    let (meter, weather) = (place("meter")?, place("weather")?);
    let listed = |line: &str| {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let weather = Some((*cells.get(weather)?).to_owned());
        Some(((*cells.get(meter)?).to_owned(), Listed { weather, ..Listed::default() }))
    };
    Ok(lines.filter_map(listed).collect())
}

fn of_json(path: &Path) -> Result<List, Failure> {
    let wrong = |why: String| Failure::bad_input(format!("{}: {why}", path.display()));
    let value: Value = serde_json::from_slice(&read(path)?).map_err(|e| wrong(e.to_string()))?;
    let meters = value.as_object().ok_or_else(|| wrong("an object of meters is wanted".to_owned()))?;
    let text = |meter: &Value, key: &str| meter.get(key).and_then(Value::as_str).map(str::to_owned);
    let day = |v: Option<&Value>| v.and_then(Value::as_str).and_then(|d| d.parse::<NaiveDate>().ok());
    let listed = |meter: &Value| {
        let year = meter.get("normal_year");
        let bound = |i: usize| day(year.and_then(|y| y.get(i)));
        Listed {
            weather: text(meter, "weather"),
            fuel: text(meter, "fuel"),
            normal: bound(0).zip(bound(1)).map(|(from, to)| Window { from, to }),
            normal_weather: text(meter, "normal_year"),
        }
    };
    Ok(meters.iter().map(|(name, meter)| (name.clone(), listed(meter))).collect())
}
