//! `countersign demo`: the whole story over real HTTPS, in one process, each outcome checked.
//!
//! Nothing is staged: [`wire`] writes down what travels between a daemon ([`countersign_client`]), an authority
//! ([`countersign_authority`]) and an API behind [`countersign_guard`], and then between a person's [`browser`], a web app,
//! an API in the [`middle`] and that same API. A step is `ok` only if what came back is, letter for letter, what [`steps`]
//! says it must be.

mod api;
mod browser;
mod cast;
mod error;
mod keep;
mod middle;
mod narrate;
mod person;
mod server;
mod step;
mod steps;
mod wire;
mod world;

use std::time::Instant;

pub(crate) use self::error::DemoError;
use self::narrate::Narrator;
use self::step::{Outcome, Scene, all_went_well};
use self::steps::STEPS;
use self::world::World;
use crate::error::CliError;
use crate::exit::Exit;
use crate::runtime;

/// Play the whole story over real HTTPS: daemon, APIs, authority and a person, each step checked
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status: 0 only if every step came out as it should.

With --json each step is a line with step, name, title, expected, got, ok, exchanges, claims and
details; then one sums up: ok, steps, failed, seconds. With --keep there is one more, {\"kept\": {…}}:
the addresses of authority, portal and both APIs, and the files that hold the CA and the daemon's,
the web app's, the middle tier's and Alice's credentials. They go when the demo goes.

Example:
  countersign demo --keep")]
pub(crate) struct Args {
    /// Leave authority and API running afterwards, and print how to use them
    #[arg(long)]
    keep: bool,

    /// Print one JSON line a step, and one that sums up
    #[arg(long)]
    json: bool,

    /// No colours, and ASCII only
    #[arg(long, conflicts_with = "json")]
    plain: bool,
}

pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    runtime::large(async {
        let started = Instant::now();
        let mut narrator = Narrator::new(args.json, args.plain);
        let mut world = World::start().await.map_err(CliError::Demo)?;
        let mut outcomes = Vec::with_capacity(STEPS.len());
        for (index, step) in STEPS.iter().enumerate() {
            let played = (step.play)(&mut world).await;
            let mut scene = played.unwrap_or_else(|error| Scene::new(error.in_one_line()));
            scene.exchanges.extend(world.wire.take());
            let outcome =
                Outcome { name: step.name, title: step.title, expected: step.expected, got: scene.got.clone() };
            narrator.step(index + 1, step, &scene, &outcome).map_err(CliError::Output)?;
            outcomes.push(outcome);
        }
        let ok = all_went_well(&outcomes, STEPS.len());
        narrator.summary(&outcomes, ok, started.elapsed()).map_err(CliError::Output)?;
        if args.keep {
            keep::until_stopped(&mut narrator, &world).await?;
        }
        world.stop().await;
        Ok(if ok { Exit::Done } else { Exit::Refused })
    })
}
