//! A simulated control plane that plays whole lives of tenants and templates.
//!
//! `store` is the API server, `plane` is Crossplane, `world` is everybody else; `script` has the words for what users and
//! bad luck do, `life` makes lives of them, `rules` says what no pass may do. The answers come from the real function, from
//! request to response.
//!
//! - `scripts/NAME.txt` are lives with their logs in `NAME.out`: `UPDATE=1 cargo test --test simulate` writes those anew.
//! - Random lives come from seeds: `LIVES=20000` plays more of them, `SEED=7` one alone. One that breaks a rule is
//!   told as a script; `SCRIPT=FILE` plays such a file, with its log.
//!
//! Not played: the grace hours of a tier, the ids of last backups (one is as good as its tenant's last), Leases of operations
//! (only those that somebody takes by hand), adopted databases that are deleted, and files otherwise than there or not. A tenant
//! whose status was lost in the middle of its deletion is let off the rules of its end.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

#[path = "../common/dice.rs"]
mod dice;
mod life;
mod plane;
#[path = "../common/platform.rs"]
mod platform;
mod rules;
mod script;
mod store;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};

use function_odoo::function::explain;
use life::Lived;
use plane::Plane;
use rules::Ledger;

/// So that a normal run takes seconds, unoptimised.
const LIVES: u64 = 60;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Plays a script as far as no rule is broken.
fn play(text: &str) -> Plane {
    let actions = script::read(text).unwrap_or_else(|line| panic!("cannot read {line}"));
    let seed = text
        .lines()
        .find_map(|line| line.strip_prefix("# seed ")?.parse().ok())
        .unwrap_or(0);
    let mut plane = Plane::new(seed);
    plane.log = Some(Vec::new());
    let lines: Vec<_> = text.lines().collect();
    let mut done = 0;
    for (index, action) in actions {
        let log = plane.log.as_mut().unwrap();
        log.extend(lines[done..=index].iter().map(|line| (*line).to_owned()));
        done = index + 1;
        plane.act(&action);
        let broken: Vec<_> = plane
            .broken
            .iter()
            .map(|rule| format!("  BROKEN: {rule}"))
            .collect();
        plane.log.as_mut().unwrap().extend(broken);
        if !plane.broken.is_empty() {
            break;
        }
    }
    plane
}

fn log(plane: &Plane) -> String {
    plane.log.as_ref().unwrap().join("\n") + "\n"
}

fn scripts() -> BTreeMap<PathBuf, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulate/scripts");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect()
}

#[test]
fn scripts_end_as_they_are_written() {
    let files = scripts();
    let (logs, texts): (Vec<_>, Vec<_>) = files
        .keys()
        .cloned()
        .partition(|path| path.extension().is_some_and(|extension| extension == "out"));
    let wanted: BTreeSet<_> = texts.iter().map(|path| path.with_extension("out")).collect();
    assert!(texts.len() >= 10, "{}", texts.len());
    for path in texts {
        let plane = play(&files[&path]);
        let log = log(&plane);
        assert_eq!(plane.broken, Vec::<String>::new(), "{}\n{log}", path.display());
        let expected = path.with_extension("out");
        if env::var_os("UPDATE").is_some() {
            fs::write(&expected, log).unwrap();
            continue;
        }
        let written = files.get(&expected).map_or("", String::as_str);
        assert!(
            written == log,
            "{} is not what happens; UPDATE=1 cargo test --test simulate writes it anew\n{}",
            expected.display(),
            difference(written, &log)
        );
    }
    let orphans: Vec<_> = logs.iter().filter(|path| !wanted.contains(*path)).collect();
    assert!(orphans.is_empty(), "no script has {orphans:?}");
}

fn difference(before: &str, after: &str) -> String {
    let same = before
        .lines()
        .zip(after.lines())
        .take_while(|(one, other)| one == other)
        .count();
    let line = |text: &str| text.lines().nth(same).unwrap_or("(the end)").to_owned();
    format!(
        "line {}: written {:?}, happened {:?}",
        same + 1,
        line(before),
        line(after)
    )
}

#[test]
fn a_script_is_read_back_as_it_is_told() {
    for seed in 0..200 {
        let actions = life::make(seed);
        let told = life::tell(seed, &actions);
        let read = script::read(&told).unwrap();
        let read: Vec<_> = read.into_iter().map(|(_, action)| action).collect();
        assert_eq!(read[..read.len() - 1], actions, "{told}");
    }
    assert!(script::read("apply client acme\nbroken line\n").is_err());
}

/// Plays a seed; what it broke, told with the script that breaks it again.
fn play_seed(seed: u64) -> (Lived, Option<String>) {
    let actions = life::make(seed);
    let lived = life::live(seed, &actions);
    if lived.broken.is_empty() {
        return (lived, None);
    }
    let short = life::shorten(seed, actions);
    let broken = life::live(seed, &short).broken.join("\n");
    let told = format!("{broken}\n{}", life::tell(seed, &short));
    (lived, Some(told))
}

#[test]
fn lives_keep_the_rules_and_end_well_whatever_happens() {
    if let Some(path) = env::var_os("SCRIPT") {
        let plane = play(&fs::read_to_string(path).unwrap());
        println!("{}", log(&plane));
        return assert_eq!(plane.broken, Vec::<String>::new());
    }
    let (first, count) = match number("SEED") {
        Some(seed) => (seed, number("LIVES").unwrap_or(1)),
        None => (1, number("LIVES").unwrap_or(LIVES)),
    };
    let next = AtomicU64::new(first);
    let begun = Instant::now();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let lived: Vec<_> = thread::scope(|scope| {
        let players: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| play_until(&next, first + count)))
            .collect();
        players
            .into_iter()
            .flat_map(|player| player.join().unwrap())
            .collect()
    });
    let (calls, passes) = lived.iter().fold((0, 0), |(calls, passes), (lived, _)| {
        (calls + lived.calls, passes + lived.passes)
    });
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{} lives in {seconds:.1} s, {:.0} a second; {passes} passes, {calls} calls",
        lived.len(),
        f64::from(u32::try_from(lived.len()).unwrap()) / seconds
    );
    let mut ledger = Ledger::default();
    for (lived, _) in &lived {
        ledger.transitions.extend(lived.ledger.transitions.clone());
    }
    let told: Vec<_> = lived.into_iter().filter_map(|(_, told)| told).collect();
    assert!(
        told.is_empty(),
        "{} lives break a rule; the first:\n{}",
        told.len(),
        told[0]
    );
    phases_follow_each_other_as_the_table_says(&ledger);
}

/// The phases that follow each other, as the planner's table has them.
fn table() -> BTreeSet<(String, String, String)> {
    let of = |kind: &'static str, course: explain::Course| {
        let phases = course.phases.iter();
        phases.map(move |row| {
            (
                kind.to_owned(),
                row.from.as_str().to_owned(),
                row.to.as_str().to_owned(),
            )
        })
    };
    of("PLANAClient", explain::TENANT)
        .chain(of("TemplateSnapshot", explain::TEMPLATE))
        .collect()
}

fn phases_follow_each_other_as_the_table_says(ledger: &Ledger) {
    let unknown: Vec<_> = ledger.transitions.difference(&table()).cloned().collect();
    assert!(unknown.is_empty(), "no row of plan::stages has {unknown:?}");
}

#[test]
fn every_row_of_the_table_of_phases_is_seen_in_a_script() {
    let mut seen = BTreeSet::new();
    for text in scripts()
        .iter()
        .filter(|(path, _)| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|(_, text)| text)
    {
        let ledger = play(text).ledger;
        phases_follow_each_other_as_the_table_says(&ledger);
        seen.extend(ledger.transitions);
    }
    let unseen: Vec<_> = table().difference(&seen).cloned().collect();
    assert!(unseen.is_empty(), "no script shows {unseen:?}");
}

fn play_until(next: &AtomicU64, end: u64) -> Vec<(Lived, Option<String>)> {
    let mut lived = Vec::new();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return lived;
        }
        let played = play_seed(seed);
        let is_broken = played.1.is_some();
        lived.push(played);
        if is_broken {
            // One is enough to look at.
            next.store(end, Ordering::Relaxed);
        }
    }
}
