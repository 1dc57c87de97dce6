//! Rounds of figures -> tables of medians.
//!
//! In: what was measured in each round. Out: Markdown. A ratio is formed inside a round, where all contenders met the
//! same neighbours on the machine, and then the median of the ratios is taken: times wander, ratios hardly do.

use std::collections::BTreeMap;

use super::server::Contender;

/// What is measured of a server in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    ProcessorAlone,
    ProcessorMany,
    MedianAlone,
    SlowAlone,
    MedianMany,
    SlowMany,
    Rate,
    MemoryStart,
    MemoryPeak,
    FirstAnswer,
}

/// The figures of a round.
pub type Round<K> = BTreeMap<K, f64>;

impl Figure {
    const COLUMNS: [(Self, &'static str, usize); 10] = [
        (Self::ProcessorAlone, "CPU us/call, 1 in flight", 0),
        (Self::ProcessorMany, "CPU us/call, 32", 0),
        (Self::MedianAlone, "p50 us, 1", 0),
        (Self::SlowAlone, "p99 us, 1", 0),
        (Self::MedianMany, "p50 us, 32", 0),
        (Self::SlowMany, "p99 us, 32", 0),
        (Self::Rate, "calls/s, 32", 0),
        (Self::MemoryStart, "RSS MiB", 1),
        (Self::MemoryPeak, "peak", 1),
        (Self::FirstAnswer, "first answer ms", 1),
    ];
}

/// The middle one.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The median over rounds of one figure divided by another of the same round.
pub fn ratio<K: Ord>(rounds: &[Round<K>], figure: &K, base: &K) -> f64 {
    median(
        rounds
            .iter()
            .filter_map(|round| Some(round.get(figure)? / round.get(base)?)),
    )
}

/// The table of the servers; behind the processor times, in brackets, how many floors that is.
pub fn servers(rounds: &[Round<(Contender, Figure)>]) {
    let titles: Vec<_> = Figure::COLUMNS.iter().map(|(_, title, _)| *title).collect();
    println!("| over gRPC | {} |", titles.join(" | "));
    println!("|---{}|", "|---".repeat(titles.len()));
    for contender in Contender::all() {
        let cells = Figure::COLUMNS.map(|(figure, _, digits)| {
            let key = (contender, figure);
            let value = median(rounds.iter().filter_map(|round| round.get(&key).copied()));
            match figure {
                Figure::ProcessorAlone | Figure::ProcessorMany => {
                    let floors = ratio(rounds, &key, &(Contender::Floor, figure));
                    format!("{value:.digits$} ({floors:.1})")
                }
                Figure::MedianAlone
                | Figure::SlowAlone
                | Figure::MedianMany
                | Figure::SlowMany
                | Figure::Rate
                | Figure::MemoryStart
                | Figure::MemoryPeak
                | Figure::FirstAnswer => format!("{value:.digits$}"),
            }
        });
        println!("| {} | {} |", contender.title(), cells.join(" | "));
    }
}

/// The table of the steps inside a process.
pub fn steps(rounds: &[Round<(&'static str, &'static str)>], steps: &[&'static str]) {
    println!("| in process, us | {} | SDK / ours |", steps.join(" | "));
    println!("|---{}|---|", "|---".repeat(steps.len()));
    let sum = |round: &Round<(&'static str, &'static str)>, who: &str| -> f64 {
        round
            .iter()
            .filter(|((of, _), _)| *of == who)
            .map(|(_, value)| value)
            .sum()
    };
    for who in ["ours", "SDK"] {
        let cells = steps.iter().map(|step| {
            format!(
                "{:.1}",
                median(
                    rounds
                        .iter()
                        .filter_map(|round| round.get(&(who, *step)).copied())
                )
            )
        });
        println!("| {who} | {} | |", cells.collect::<Vec<_>>().join(" | "));
    }
    let ratios = steps
        .iter()
        .map(|step| format!("{:.1}", ratio(rounds, &("SDK", *step), &("ours", *step))));
    let whole = median(rounds.iter().map(|round| sum(round, "SDK") / sum(round, "ours")));
    println!(
        "| ratio | {} | {whole:.1} |",
        ratios.collect::<Vec<_>>().join(" | ")
    );
}
