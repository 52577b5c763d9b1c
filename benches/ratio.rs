//! Measuring two things against each other in one run.
//!
//! Machines drift: one absolute time says little, the ratio of two that alternate says much. Each round times one batch
//! of each candidate in turn; the median over the rounds is printed, and the ratio of every candidate's rate to the
//! first one's, taken round by round. Benchmarks include this file by path, so it belongs to no crate.

#![allow(unreachable_pub, reason = "the file is included into several benchmarks")]

use std::time::{Duration, Instant};

/// One thing to measure: its name, and a closure that does it once.
pub type Candidate<'a> = (&'a str, Box<dyn FnMut() + 'a>);

/// Whether a candidate of this name is to be run.
pub fn is_wanted(name: &str) -> bool {
    std::env::args().skip_while(|argument| argument != "--only").nth(1).is_none_or(|only| name.contains(&only))
}

/// Times the candidates in turn and prints a line for each. Returns the median nanoseconds per call, in order.
///
/// `cargo bench … -- --only TEXT` runs the candidates whose name holds the text, beside the first: for a profiler.
pub fn compare(title: &str, rounds: usize, candidates: &mut [Candidate<'_>]) -> Vec<f64> {
    if !candidates.iter().any(|(name, _)| is_wanted(name)) {
        return vec![f64::NAN; candidates.len()];
    }
    for (_, run) in candidates.iter_mut().skip(1).filter(|(name, _)| !is_wanted(name)) {
        *run = Box::new(|| ());
    }
    println!("\n{title}");
    let batches: Vec<u32> = candidates.iter_mut().map(|(_, run)| batch_of(run)).collect();
    let mut samples = vec![Vec::with_capacity(rounds); candidates.len()];
    for _ in 0..rounds {
        for (index, (_, run)) in candidates.iter_mut().enumerate() {
            let start = Instant::now();
            for _ in 0..batches[index] {
                run();
            }
            samples[index].push(start.elapsed().as_nanos() as f64 / f64::from(batches[index]));
        }
    }
    let base = samples[0].clone();
    let mut medians = Vec::new();
    for ((name, _), times) in candidates.iter().zip(&samples) {
        let ratios: Vec<f64> = base.iter().zip(times).map(|(base, time)| base / time).collect();
        let (middle, rate) = (median(times), median(&ratios));
        println!("  {name:<58} {:>12}   {rate:>8.3} x the first", pretty(middle));
        medians.push(middle);
    }
    medians
}

/// How many calls make about 20 ms.
fn batch_of(run: &mut Box<dyn FnMut() + '_>) -> u32 {
    let mut calls = 1;
    loop {
        let start = Instant::now();
        for _ in 0..calls {
            run();
        }
        let took = start.elapsed();
        if took > Duration::from_millis(20) || calls > 1 << 26 {
            return calls;
        }
        calls = if took.as_micros() < 200 { calls * 10 } else { calls * 2 };
    }
}

/// The middle value.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn pretty(nanoseconds: f64) -> String {
    if nanoseconds < 1_000.0 {
        format!("{nanoseconds:.1} ns")
    } else if nanoseconds < 1_000_000.0 {
        format!("{:.2} µs", nanoseconds / 1_000.0)
    } else {
        format!("{:.2} ms", nanoseconds / 1_000_000.0)
    }
}
