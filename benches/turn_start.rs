//! What a loadout costs at `turn/start`: through the proxy against the same levers sent by hand straight to Codex,
//! with nothing changed, after a skill was added, and with many skills.
//!
//! `cargo bench --bench turn_start`. All kinds of turn take turns in one run; the ratios count, not the
//! milliseconds.

mod common;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use common::{
    by_hand, connect, connect_through_us, home_with, many_names, median, millis, paired_ratio,
};
use lab::{Client, Home, Model, Skill, Table};
use serde_json::{Value, json};

/// Rounds that are measured: in each, one turn of each kind after a skill was added.
const ROUNDS: usize = 40;
/// Turns of each kind in a round when nothing has changed: they are cheap, and a median of few wanders.
const UNCHANGED: usize = 5;
const WARM_UP: usize = 3;
/// Skills that the user has: a few, and as many as are ever seen.
const SKILLS: [usize; 2] = [10, 1900];
/// How long Codex may take to notice a new skill.
const NOTICED: Duration = Duration::from_millis(1200);

/// Until a turn is answered, and until its model is asked.
#[derive(Default)]
struct Times {
    answered: Vec<Duration>,
    asked: Vec<Duration>,
}

/// By hand and with a loadout, each when nothing has changed and after a skill was added.
type Kinds = [Times; 4];

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a bench shows what it measured")]
async fn main() -> Result<()> {
    // `cargo test --benches` runs every bench; measuring is not a test.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("run with `cargo bench --bench turn_start`");
        return Ok(());
    }
    println!(
        "{} turns of each kind, {ROUNDS} after a skill was added, the kinds in turns, Codex {}; p50 in ms\n",
        ROUNDS * UNCHANGED,
        lab::DEFAULT_VERSION
    );
    let mut table = Table::new(&[("turn/start", 44), ("answered", 9), ("model asked", 12)]);
    for skills in SKILLS {
        let kinds = measure(skills).await?;
        let medians = kinds.each_ref().map(|times| {
            let median = |times: &[Duration]| median(&mut times.to_vec());
            (median(&times.answered), median(&times.asked))
        });
        let ratio = |one: usize, other: usize| {
            let of = |times: fn(&Times) -> &[Duration]| {
                let ratio = paired_ratio(times(&kinds[one]), times(&kinds[other]));
                format!("{ratio:.2}")
            };
            (of(|times| &times.answered), of(|times| &times.asked))
        };
        let mut row = |kind: &str, (answered, asked): (String, String)| {
            table.row([format!("{skills} skills: {kind}"), answered, asked]);
        };
        let times = |at: usize| (millis(medians[at].0), millis(medians[at].1));
        row("by hand", times(0));
        row("with a loadout", times(1));
        row("  ratio", ratio(1, 0));
        row("by hand, a skill was added", times(2));
        row("with a loadout, a skill was added", times(3));
        row("  ratio", ratio(3, 2));
        row("  by hand, added / not added", added_ratio(&kinds, [0, 2]));
        row("  loadout, added / not added", added_ratio(&kinds, [1, 3]));
    }
    println!("{table}");
    Ok(())
}

/// A turn after a skill was added against one without, of these two kinds: medians, since there are more of the one.
/// Codex itself looks at its skills again then, so by hand it is not 1 either.
fn added_ratio(kinds: &Kinds, of_kinds: [usize; 2]) -> (String, String) {
    let of = |times: fn(&Times) -> &[Duration]| {
        let [unchanged, added] =
            of_kinds.map(|kind| median(&mut times(&kinds[kind]).to_vec()).as_secs_f64());
        format!("{:.2}", added / unchanged)
    };
    (of(|times| &times.answered), of(|times| &times.asked))
}

async fn measure(skills: usize) -> Result<Kinds> {
    let model = Model::start().await?;
    let more = many_names(skills.saturating_sub(6));
    let home = home_with(&more, Skill::new, &model)?;
    let direct = connect(&home, home.codex(), &[]).await?;
    let proxy = connect_through_us(&home).await?;
    let selected =
        json!({ "cwd": home.project(), "capabilitySelection": { "skills": ["repo-review"] } });
    let plain = open(&direct, by_hand(&home, &selected).await?).await?;
    let chosen = open(&proxy, selected).await?;
    let mut kinds = Kinds::default();
    let [by_hand, loadout, added_by_hand, added_loadout] = &mut kinds;
    for round in 0..WARM_UP + ROUNDS {
        let counts = round >= WARM_UP;
        // Each comes first as often as last.
        let hand_first = round % 2 == 0;
        for again in 0..UNCHANGED {
            let hand_first = hand_first == (again % 2 == 0);
            for of_hand in [hand_first, !hand_first] {
                let (client, thread, times) = match of_hand {
                    true => (&direct, &plain, &mut *by_hand),
                    false => (&proxy, &chosen, &mut *loadout),
                };
                turn(&model, client, thread, times, counts).await?;
            }
        }
        add_and_notice(&home, round).await?;
        for of_hand in [hand_first, !hand_first] {
            let (client, thread, times) = match of_hand {
                true => (&direct, &plain, &mut *added_by_hand),
                false => (&proxy, &chosen, &mut *added_loadout),
            };
            turn(&model, client, thread, times, counts).await?;
        }
    }
    Ok(kinds)
}

async fn add_and_notice(home: &Home, round: usize) -> Result<()> {
    home.add_skill(".agents/skills", &Skill::new(&format!("newcomer-{round}")))?;
    tokio::time::sleep(NOTICED).await;
    Ok(())
}

async fn open(client: &Client, params: Value) -> Result<String> {
    let started = client.request("thread/start", params).await?;
    let id = started["thread"]["id"].as_str();
    Ok(id.context("a thread was started")?.to_owned())
}

async fn turn(
    model: &Model,
    client: &Client,
    thread: &str,
    times: &mut Times,
    counts: bool,
) -> Result<()> {
    let mark = client.mark();
    let before = model.requests().len();
    let params = json!({ "threadId": thread, "input": [{ "type": "text", "text": "hi" }] });
    let begin = Instant::now();
    let (answered, asked) = tokio::join!(
        async {
            client.request("turn/start", params).await?;
            anyhow::Ok(begin.elapsed())
        },
        async {
            model.wait_for(before + 1).await?;
            anyhow::Ok(begin.elapsed())
        }
    );
    if counts {
        times.answered.push(answered?);
        times.asked.push(asked?);
    }
    let ended = |message: &Value| {
        message["method"] == "turn/completed" && message["params"]["threadId"] == json!(thread)
    };
    client.wait_for(mark, ended).await?;
    Ok(())
}
