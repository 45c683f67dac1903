//! Azurite, Microsoft's emulator of Azure Storage: one for the whole test binary, an account of its own for each test.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use millrace::settings::Settings;
use millrace::stations::containers::StorageLocation;
use sha2::{Digest, Sha256};

/// `./test` installs this version.
const VERSION: &str = "3.37.0";
/// Azurite's own account and key, which `UseDevelopmentStorage=true` means; public.
const DEVELOPMENT: (&str, &str) =
    ("devstoreaccount1", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==");
/// The key of every other account: `a key for tests that opens nothing else`.
const KEY: &str = "YSBrZXkgZm9yIHRlc3RzIHRoYXQgb3BlbnMgbm90aGluZyBlbHNl";
const ACCOUNTS: usize = 40;
const DEVELOPMENT_PORT: u16 = 10000;

/// A running emulator. It ends when its standard input does, so when this process does, however that ends.
pub struct Azurite {
    pub port: u16,
    next_account: AtomicUsize,
    _process: Child,
}

/// One account of the emulator, with nothing in it.
pub struct Account {
    pub name: String,
    key: &'static str,
    pub port: u16,
}

/// `None`, said loudly, where it is not installed.
pub fn azurite() -> Option<&'static Azurite> {
    static RUNNING: OnceLock<Option<Azurite>> = OnceLock::new();
    RUNNING.get_or_init(start).as_ref()
}

fn start() -> Option<Azurite> {
    let program = installed().join("node_modules/azurite/dist/src/blob/main.js");
    if !program.exists() {
        eprintln!("SKIPPED: Azurite {VERSION} is not in {}. To run this test: ./test", installed().display());
        return None;
    }
    let node = [installed().join("node_modules/.bin/node"), PathBuf::from("node")];
    let node = node.iter().find(|node| Command::new(node).arg("--version").output().is_ok());
    let Some(node) = node else {
        eprintln!("SKIPPED: there is no node. To run this test: ./test");
        return None;
    };
    let script = Path::new(env!("CARGO_TARGET_TMPDIR")).join("azurite.js");
    let end_with_us = "process.stdin.on('end', () => process.exit()); process.stdin.resume();";
    std::fs::write(&script, format!("{end_with_us}\nrequire({:?});\n", program.to_str()?)).expect("a script");

    let mut said = String::new();
    // A free port may be taken by somebody else before Azurite binds it.
    for attempt in 0..5 {
        let port = if attempt == 0 && is_free(DEVELOPMENT_PORT) { DEVELOPMENT_PORT } else { free_port() };
        let mut process = Command::new(node)
            .arg(&script)
            .args(["--blobPort", &port.to_string(), "--inMemoryPersistence", "--silent", "--disableTelemetry"])
            .env("AZURITE_ACCOUNTS", accounts())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("node starts");
        let mut lines = BufReader::new(process.stdout.take().expect("its output is piped")).lines();
        for line in lines.by_ref().map_while(Result::ok) {
            if line.contains("successfully listen") {
                std::thread::spawn(move || lines.for_each(drop));
                return Some(Azurite { port, next_account: AtomicUsize::new(0), _process: process });
            }
            said.push_str(&line);
        }
        let _ = process.wait();
    }
    panic!("Azurite does not start: {said}");
}

fn installed() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|text| !text.is_empty()).map_or_else(home, PathBuf::from);
    cache.join("millrace").join(format!("azurite-{VERSION}"))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn accounts() -> String {
    let own = (0..ACCOUNTS).map(|number| format!("{}:{KEY}", account_name(number)));
    let all = own.chain([format!("{}:{}", DEVELOPMENT.0, DEVELOPMENT.1)]);
    all.collect::<Vec<_>>().join(";")
}

fn account_name(number: usize) -> String {
    format!("test{number:02}")
}

impl Azurite {
    /// An account that no other test has.
    pub fn account(&self) -> Account {
        let number = self.next_account.fetch_add(1, Ordering::SeqCst);
        assert!(number < ACCOUNTS, "more tests than accounts: raise ACCOUNTS");
        Account { name: account_name(number), key: KEY, port: self.port }
    }

    /// Whether it listens where `UseDevelopmentStorage=true` looks for it.
    pub fn is_development_storage(&self) -> bool {
        self.port == DEVELOPMENT_PORT
    }
}

impl Account {
    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/{}", self.port, self.name)
    }

    /// The same account behind another port.
    pub fn at(&self, port: u16) -> Account {
        Account { name: self.name.clone(), key: self.key, port }
    }

    pub fn key(&self) -> &str {
        self.key
    }

    pub fn by_key(&self) -> String {
        let (name, key, endpoint) = (&self.name, self.key, self.endpoint());
        format!("DefaultEndpointsProtocol=http;AccountName={name};AccountKey={key};BlobEndpoint={endpoint};")
    }

    pub fn by_signature(&self) -> String {
        format!("BlobEndpoint={};SharedAccessSignature={}", self.endpoint(), self.signature())
    }

    /// An account's signature over blobs, containers and the service, as
    /// <https://learn.microsoft.com/rest/api/storageservices/create-account-sas> says.
    fn signature(&self) -> String {
        let (rights, services, kinds, end, version) = ("rwdlac", "b", "sco", "2099-01-01T00:00:00Z", "2018-11-09");
        let text = format!("{}\n{rights}\n{services}\n{kinds}\n\n{end}\n\n\n{version}\n", self.name);
        let signed = encode(&hmac(&decode(self.key), text.as_bytes()));
        let signed = signed.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        format!("sv={version}&ss={services}&srt={kinds}&sp={rights}&se={}&sig={signed}", end.replace(':', "%3A"))
    }
}

/// The containers that a value of `LandingStorage` names.
pub fn storage(connection: &str) -> StorageLocation {
    let here = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let settings = Settings::from_values([
        here("LandingStorage", connection),
        here("StagingShare", "file:unused"),
        here("EventHubConnection", "file:unused"),
        here("Warehouse", "sqlite:unused"),
    ]);
    settings.ends().expect("the settings are whole").storage
}

fn decode(text: &str) -> Vec<u8> {
    base64::Engine::decode(&base64::prelude::BASE64_STANDARD, text).expect("base64")
}

fn encode(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes)
}

/// RFC 2104 over SHA-256, for keys of at most 64 bytes.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let padded = |pad: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ pad).collect() };
    let inner = Sha256::digest([padded(0x36), text.to_vec()].concat());
    Sha256::digest([padded(0x5c), inner.to_vec()].concat()).to_vec()
}
