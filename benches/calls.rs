//! What a call costs: processor time, latency and memory, against the transport alone and the official Rust SDK.
//!
//! `cargo bench --bench calls`; `-- 5` makes five rounds instead of fifteen, and `-- 0` only compares the answers. In:
//! nothing; with `FUNCTION_GO=PATH` also a function on the official Go SDK (`go build -C benches/calls/go -o PATH .`). Out:
//! tables on standard output. No limit is checked, since no two machines agree: read the ratios.
//!
//! In each round every contender is started anew, in random order, answers its first call, is warmed up and then
//! called with one and with 32 calls in flight. Servers are pinned to the first core and this program, which is also the
//! load generator, to the second. All get the same request, and before anything is measured their answers must be equal.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement that cannot go on ends"
)]

#[expect(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/serve/certificates.rs"]
mod certificates;
#[expect(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/common/cluster.rs"]
mod cluster;
#[path = "calls/floor.rs"]
mod floor;
#[path = "calls/load.rs"]
mod load;
#[path = "calls/moment.rs"]
mod moment;
#[path = "calls/report.rs"]
mod report;
#[path = "calls/sdk.rs"]
mod sdk;
#[path = "calls/server.rs"]
mod server;

use std::{env, fs, hint::black_box, path::PathBuf, time::Instant};

use bytes::Bytes;
use function_odoo::function::{self, proto::v1};
use function_sdk_rust::proto::v1 as sdk_v1;
use jiff::Timestamp;
use prost::Message as _;
use tokio::runtime::{Builder, Runtime};

use self::{
    certificates::{Authority, Mounted},
    load::Credentials,
    moment::Moment,
    report::{Figure, Round, median},
    server::{Contender, Server},
};

/// Enough for medians that repeat.
const ROUNDS: usize = 15;
/// Calls before anything is counted.
const WARM_UP: usize = CALLS / 4;
/// Calls of a phase: a second of the floor's processor time in all rounds together. Without optimisation nothing is worth
/// measuring, only that everything works.
const CALLS: usize = if cfg!(debug_assertions) { 64 } else { 1600 };
/// Crossplane has at most as many calls in flight as it has workers, and usually far fewer.
const MANY: usize = 32;
/// Runs of a step inside this process, in each round.
const RUNS: usize = 300;
const STEPS: [&str; 3] = ["decode", "run", "encode"];

type Servers = Round<(Contender, Figure)>;
type Steps = Round<(&'static str, &'static str)>;

/// What is sent, and with what.
struct Setting<'a> {
    request: Bytes,
    answer_file: PathBuf,
    certificates: &'a str,
    credentials: &'a Credentials,
}

/// Knuth's linear congruential generator: order has to be mixed, not unpredictable.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["floor", address, answer] => {
            let answer = fs::read(answer).unwrap();
            runtime()
                .block_on(floor::serve(address.parse().unwrap(), answer.into()))
                .unwrap();
        }
        ["sdk", address] => runtime().block_on(sdk::serve(address)).unwrap(),
        ["alone", moment, calls] => alone(Moment::named(moment).unwrap(), calls.parse().unwrap()),
        words => measure(words.iter().find_map(|word| word.parse().ok()).unwrap_or(ROUNDS)),
    }
}

/// One thread for everybody: a function has one connection, and more threads only cost wake-ups.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Calls in this process and nothing else, for profilers: `calls alone telling 100` under `valgrind --tool=callgrind`
/// counts the same instructions on every machine, however busy.
fn alone(moment: Moment, calls: usize) {
    let bytes = Bytes::from(moment::request(moment).encode_to_vec());
    for _ in 0..calls {
        let request = v1::RunFunctionRequest::decode(bytes.clone()).unwrap();
        black_box(function::run(&request, Timestamp::UNIX_EPOCH).0.encode_to_vec());
    }
}

fn measure(rounds: usize) {
    println!(
        "{rounds} rounds, {}, function: {}",
        if server::pin_this() {
            "pinned"
        } else {
            "not pinned: no taskset"
        },
        server::binary().display(),
    );
    if let Ok(size) = fs::metadata(server::binary()) {
        println!("size of the function: {} bytes", size.len());
    }
    let folder = env::temp_dir().join(format!("function-odoo-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let authority = Authority::new();
    let certificates = Mounted::of(&authority);
    let credentials = Credentials {
        authority: authority.pem(),
        client: authority.client(),
    };
    for moment in Moment::ALL {
        let (request, answer) = call_of(moment);
        let answer_file = folder.join("answer");
        fs::write(&answer_file, &answer).unwrap();
        let setting = Setting {
            request,
            answer_file,
            certificates: certificates.path(),
            credentials: &credentials,
        };
        if rounds > 0 {
            measure_moment(rounds, &setting);
        }
    }
    fs::remove_dir_all(&folder).unwrap();
}

/// Request and answer of a moment, which is checked to be worth measuring.
fn call_of(moment: Moment) -> (Bytes, Vec<u8>) {
    let request = moment::request(moment);
    let bytes = Bytes::from(request.encode_to_vec());
    let answer = function::run(&request, Timestamp::now()).0.encode_to_vec();
    check_equal(&bytes, &answer, moment.objects());
    println!(
        "\n{}: request of {} bytes (composite resource, {} observed, {} required), answer of {} bytes",
        moment.title(),
        bytes.len(),
        moment.objects(),
        request.required_resources.len(),
        answer.len(),
    );
    (bytes, answer)
}

fn measure_moment(rounds: usize, setting: &Setting<'_>) {
    let load = || fs::read_to_string("/proc/loadavg").unwrap().trim().to_owned();
    let before = load();
    let runtime = runtime();
    let mut random = Random(u64::from(std::process::id()));
    let (mut of_servers, mut of_steps) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut order = Contender::all();
        random.shuffle(&mut order);
        let mut figures = Servers::new();
        for contender in order {
            runtime.block_on(measure_server(contender, setting, &mut figures));
        }
        of_servers.push(figures);
        of_steps.push(measure_steps(&setting.request, random.below(2) == 0));
    }
    println!("load average before {before}, after {}\n", load());
    report::servers(&of_servers);
    println!();
    report::steps(&of_steps, &STEPS);
}

/// Ours and the SDK's must say the same before it means anything which one is faster.
fn check_equal(request: &Bytes, ours: &[u8], objects: usize) {
    let request = sdk_v1::RunFunctionRequest::decode(request.clone()).unwrap();
    let theirs = sdk::run(&request).unwrap();
    let ours = sdk_v1::RunFunctionResponse::decode(ours).unwrap();
    let composed = ours.desired.clone().unwrap_or_default().resources;
    assert_eq!(composed.len(), objects, "everything observed is composed again");
    let other = theirs.desired.clone().unwrap_or_default().resources;
    let different: Vec<_> = composed
        .keys()
        .filter(|name| composed.get(*name) != other.get(*name))
        .collect();
    assert!(different.is_empty(), "the SDK composes others: {different:?}");
    assert!(ours == theirs, "the SDK answers {theirs:#?}, we {ours:#?}");
}

async fn measure_server(contender: Contender, setting: &Setting<'_>, figures: &mut Servers) {
    let mut note = |figure, value| figures.insert((contender, figure), value);
    let credentials = (contender == Contender::FunctionWithTls).then_some(setting.credentials);
    let start = Instant::now();
    let server = Server::start(contender, &setting.answer_file, setting.certificates).unwrap();
    let channel = load::connect(&server, credentials).await.unwrap();
    load::call(&channel, setting.request.clone()).await.unwrap();
    note(Figure::FirstAnswer, start.elapsed().as_secs_f64() * 1e3);
    note(Figure::MemoryStart, server.memory_mib("VmRSS").unwrap());
    load::run(&channel, &setting.request, 1, WARM_UP).await.unwrap();

    let before = server.processor_microseconds().unwrap();
    let alone = load::run(&channel, &setting.request, 1, CALLS).await.unwrap();
    let between = server.processor_microseconds().unwrap();
    let many = load::run(&channel, &setting.request, MANY, CALLS).await.unwrap();
    let after = server.processor_microseconds().unwrap();

    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let calls = CALLS as f64;
    note(Figure::ProcessorAlone, (between - before) / calls);
    note(Figure::ProcessorMany, (after - between) / calls);
    note(Figure::MedianAlone, alone.quantile_microseconds(0.5));
    note(Figure::SlowAlone, alone.quantile_microseconds(0.99));
    note(Figure::MedianMany, many.quantile_microseconds(0.5));
    note(Figure::SlowMany, many.quantile_microseconds(0.99));
    note(Figure::Rate, many.rate());
    note(Figure::MemoryPeak, server.memory_mib("VmHWM").unwrap());
}

fn measure_steps(request: &Bytes, ours_first: bool) -> Steps {
    let mut steps = Steps::new();
    for ours in [ours_first, !ours_first] {
        if ours {
            let decoded = v1::RunFunctionRequest::decode(request.clone()).unwrap();
            let (answer, _) = function::run(&decoded, Timestamp::UNIX_EPOCH);
            let decode = || v1::RunFunctionRequest::decode(request.clone()).unwrap();
            steps.insert(("ours", "decode"), microseconds(decode));
            steps.insert(
                ("ours", "run"),
                microseconds(|| function::run(&decoded, Timestamp::UNIX_EPOCH)),
            );
            steps.insert(("ours", "encode"), microseconds(|| answer.encode_to_vec()));
        } else {
            let decoded = sdk_v1::RunFunctionRequest::decode(request.clone()).unwrap();
            let answer = sdk::run(&decoded).unwrap();
            let decode = || sdk_v1::RunFunctionRequest::decode(request.clone()).unwrap();
            steps.insert(("SDK", "decode"), microseconds(decode));
            steps.insert(("SDK", "run"), microseconds(|| sdk::run(&decoded).unwrap()));
            steps.insert(("SDK", "encode"), microseconds(|| answer.encode_to_vec()));
        }
    }
    steps
}

/// The median time of one run, including the time to drop what it makes; medians do not see interruptions.
fn microseconds<T>(mut run: impl FnMut() -> T) -> f64 {
    median((0..RUNS).map(|_| {
        let start = Instant::now();
        drop(black_box(run()));
        start.elapsed().as_secs_f64() * 1e6
    }))
}
