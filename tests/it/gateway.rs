//! Starts the real program over a lake, and stops it whatever happens to the test.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use regex::Regex;
use tempfile::{NamedTempFile, TempDir};

use crate::wire::Wire;

const START_MAX: Duration = Duration::from_secs(20);

/// The program under test.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lakegate"));
    command.stdin(Stdio::null());
    command
}

/// The lake of the repository's own test data.
pub(crate) fn test_lake() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/lake")
}

/// What make tells the tests through the environment.
#[expect(
    clippy::disallowed_methods,
    reason = "the rule is for the program; tests are told their servers this way"
)]
pub(crate) fn given_if_set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What `make test` must have told the tests.
pub(crate) fn given(name: &str) -> String {
    given_if_set(name).unwrap_or_else(|| {
        panic!("{name} is not set: run the tests by `make test`, or under scripts/with_servers")
    })
}

/// The PostgreSQL that answers are compared with.
pub(crate) fn postgres() -> SocketAddr {
    let address = given("LAKEGATE_TEST_POSTGRES");
    address
        .parse()
        .expect("LAKEGATE_TEST_POSTGRES is host:port")
}

/// A running gateway. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Gateway {
    child: Child,
    address: SocketAddr,
    /// The line it printed when it was ready.
    ready_line: String,
    log: NamedTempFile,
    /// What it keeps, views among it, away from the lake; `None` if the test keeps it.
    state: Option<TempDir>,
    /// Whether the test has it panic.
    may_panic: bool,
}

impl Gateway {
    /// Waits until something has come about, and tells the log if it never does.
    pub(crate) fn wait_until(&self, done: impl Fn() -> bool) {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", self.log());
        }
    }

    /// A gateway over the test lake.
    pub(crate) fn of_test_lake() -> Self {
        Self::start(&test_lake(), &[])
    }

    /// A gateway over a folder, with further arguments, waited for until it is ready.
    pub(crate) fn start(lake: &Path, arguments: &[&str]) -> Self {
        let state = TempDir::new().expect("a temporary folder can be made");
        let mut gateway = Self::start_with_state(lake, state.path(), arguments);
        gateway.state = Some(state);
        gateway
    }

    /// The same, with the state in a folder that outlives it.
    pub(crate) fn start_with_state(lake: &Path, state: &Path, arguments: &[&str]) -> Self {
        Self::start_with_temporary(lake, state, &std::env::temp_dir(), arguments)
    }

    /// The same, with a folder of its own for what it spills.
    pub(crate) fn start_with_temporary(
        lake: &Path,
        state: &Path,
        temporary: &Path,
        arguments: &[&str],
    ) -> Self {
        let temporary = temporary.display().to_string();
        Self::start_with_environment(lake, state, &[("TMPDIR", &temporary)], arguments)
    }

    /// The same, with variables of its environment.
    pub(crate) fn start_with_environment(
        lake: &Path,
        state: &Path,
        environment: &[(&str, &str)],
        arguments: &[&str],
    ) -> Self {
        let log = NamedTempFile::new().expect("a temporary file can be made");
        let stderr = File::create(log.path()).expect("the log can be written");
        let mut child = program()
            .args(["serve", "--listen", "127.0.0.1:0", "--lake"])
            .arg(lake)
            .arg("--state")
            .arg(state)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the program starts");
        let stdout = child.stdout.take().expect("standard output is piped");
        let ready = ready_address(BufReader::new(stdout));
        let mut gateway = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            ready_line: String::new(),
            log,
            state: None,
            may_panic: false,
        };
        (gateway.address, gateway.ready_line) = ready
            .recv_timeout(START_MAX)
            .unwrap_or_else(|_| panic!("no ready line; the log:\n{}", gateway.log()));
        gateway
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder of its state, while it is its own.
    pub(crate) fn state_folder(&self) -> &Path {
        self.state.as_ref().expect("it keeps its state").path()
    }

    /// What it said of itself when it was ready.
    pub(crate) fn ready_line(&self) -> &str {
        &self.ready_line
    }

    pub(crate) fn connect(&self) -> Wire {
        Wire::connect(self.address)
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Says that a panic is what the test is about.
    pub(crate) fn expect_panic(&mut self) {
        self.may_panic = true;
    }

    /// What it wrote to its log so far.
    pub(crate) fn log(&self) -> String {
        let mut text = String::new();
        File::open(self.log.path())
            .and_then(|mut file| file.read_to_string(&mut text))
            .expect("the log can be read");
        text
    }

    /// Memory it holds now, in MiB.
    pub(crate) fn resident_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .expect("the process runs");
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .expect("Linux states VmRSS");
        let kib: u64 = line
            .split_whitespace()
            .nth(1)
            .and_then(|number| number.parse().ok())
            .expect("VmRSS is a number");
        kib / 1024
    }

    /// Processor time it has used so far, in ticks of 10 ms.
    pub(crate) fn processor_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))
            .expect("the process runs");
        // After the name in brackets: utime and stime are the 12th and 13th field.
        let (_, fields) = stat.rsplit_once(')').expect("the name is in brackets");
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |at: usize| fields[at].parse::<u64>().expect("ticks are a number");
        ticks(11) + ticks(12)
    }

    /// Asks it to stop, as an operator or a container's runtime does.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends it a signal, by its name without SIG.
    pub(crate) fn signal(&self, name: &str) {
        let told = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(told.success(), "the process is there to be told");
    }

    /// Waits for it to end by itself.
    pub(crate) fn wait(&mut self, longest: Duration) -> ExitStatus {
        let deadline = Instant::now() + longest;
        loop {
            if let Some(status) = self.child.try_wait().expect("the process is ours") {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "still running; the log:\n{}",
                self.log()
            );
            std::thread::yield_now();
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already; a killed process is waited for, so that none stays behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() && !self.may_panic {
            let log = self.log();
            assert!(!log.contains("panicked at"), "it panicked:\n{log}");
        }
    }
}

/// The ready line and its address, as soon as it is printed. Reads on to the end, so that the
/// program never writes into a closed pipe.
fn ready_address(stdout: impl BufRead + Send + 'static) -> mpsc::Receiver<(SocketAddr, String)> {
    let (sender, receiver) = mpsc::channel();
    let pattern = Regex::new(r"ready on (127\.0\.0\.1:\d+)").expect("valid");
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            if let Some(found) = pattern.captures(&line) {
                let address = found[1].parse().expect("an address");
                // Nobody listens any more once the test gave up.
                let _ = sender.send((address, line));
            }
        }
    });
    receiver
}
