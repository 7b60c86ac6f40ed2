//! `stemwire doctor`: checks the installation and names a remedy for each fault.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use clap::builder::FalseyValueParser;

use super::engine_args::EngineArgs;
use super::error::CliError;
use super::ffmpeg_option::FfmpegOption;
use super::finding::{Finding, report};
use super::providers::{SelectionLimits, select_from};
use super::setup;
use crate::engine::ProviderSelection;
use crate::engine::limits::TimeLimits;
use crate::engine::pool::Pool;
use crate::engine::provider::selection::{ModelsToSelect, SelectedExecution, SelectionOutcome};
use crate::engine::runtime::locate::LibraryOrigin;
use crate::files;
use crate::model::{AvailableModels, Model};
use crate::separation::DecoderConfig;
use crate::server::{CredentialSources, Credentials, TlsFiles, can_others_read};
use crate::session::store::damaged_sessions;

/// Free space below which a session of an hour may not fit, in bytes.
const LOW_DISK_SPACE: u64 = 4 << 30;

/// Unreadable sessions that are listed.
const SHOWN_SESSIONS: usize = 10;

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Address that the server would listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000", env = "STEMWIRE_LISTEN")]
    listen: SocketAddr,
    /// Folder for sessions [default: the user's data folder]
    #[arg(long, value_name = "DIR", env = "STEMWIRE_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Count it as a failed check if decoders cannot be fully confined
    #[arg(long, env = "STEMWIRE_REQUIRE_SANDBOX", value_parser = FalseyValueParser::new())]
    require_sandbox: bool,
    /// Token file that the server would use
    #[arg(long, value_name = "FILE", env = "STEMWIRE_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// Certificate chain that the server would use
    #[arg(long, value_name = "FILE", requires = "tls_key", env = "STEMWIRE_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// Private key that the server would use
    #[arg(long, value_name = "FILE", requires = "tls_cert", env = "STEMWIRE_TLS_KEY")]
    tls_key: Option<PathBuf>,
    #[command(flatten)]
    ffmpeg: FfmpegOption,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Runs every check and prints the findings.
pub(super) fn run(args: &DoctorArgs) -> Result<(), CliError> {
    let mut findings = Vec::new();
    let threads = setup::pool_config(&args.engine)?.threads_per_worker;
    let available = setup::available_models(args.engine.models_dir.as_deref());
    let providers = check_runtime(args, threads, &available, &mut findings);
    check_models(args, &available, providers, &mut findings);
    findings.push(check_decoder(args.require_sandbox));
    findings.push(check_ffmpeg(&args.ffmpeg));
    findings.push(check_disk(args));
    findings.extend(check_sessions(args));
    findings.extend(check_token_file(args));
    findings.extend(check_certificate(args));
    findings.push(check_port(args.listen));
    report(&findings)
}

/// Selects providers and loads ONNX Runtime, as the server does.
fn check_runtime(
    args: &DoctorArgs,
    threads: usize,
    available: &AvailableModels,
    findings: &mut Vec<Finding>,
) -> Option<ProviderSelection> {
    let search = setup::search(args.engine.runtime.as_deref());
    let selected = search.libraries().and_then(|libraries| {
        let models = ModelsToSelect { preferred: available.all().to_vec(), others: Vec::new() };
        let limits = SelectionLimits::default();
        select_from(&args.engine, threads, limits, &search, &libraries, &models)
    });
    match selected {
        Ok(SelectionOutcome { providers, .. }) => {
            let runtime = providers.runtime();
            let origin = search.find().map_or(LibraryOrigin::Cache, |found| found.origin);
            let path = runtime.path().display();
            findings.push(Finding::good(format!("{} at {path} ({origin})", runtime.name())));
            Some(providers)
        }
        Err(error) => {
            findings.push(Finding::bad(&error, error.remedy()));
            None
        }
    }
}

/// Loads each model and separates with it.
fn check_models(
    args: &DoctorArgs,
    available: &AvailableModels,
    providers: Option<ProviderSelection>,
    findings: &mut Vec<Finding>,
) {
    for fault in available.faults() {
        findings.push(Finding::bad(fault, "Correct the card, or remove its folder."));
    }
    let Some(providers) = providers else { return };
    match setup::pool(&args.engine, TimeLimits::default(), providers.clone()) {
        Ok(pool) => {
            let check = |model: &Arc<Model>| check_model(&pool, &providers, model);
            findings.extend(available.all().iter().map(check));
        }
        Err(_) => findings.push(Finding::bad("cannot start threads", "Lower --threads.")),
    }
}

fn check_model(pool: &Pool, providers: &ProviderSelection, model: &Arc<Model>) -> Finding {
    let card = model.card();
    // The first segment allocates memory, the second shows the speed.
    match pool.warm_up(model).and_then(|_| pool.warm_up(model)) {
        Ok(time) => {
            let audio = card.segment.duration(card.sample_rate).as_secs_f64();
            let factor = audio * (1.0 - card.overlap) / time.as_secs_f64();
            let SelectedExecution { execution, reason, results } = providers.for_model(model);
            let works = format!("model {} works, {factor:.1}× real time", card.name);
            let measured: String =
                results.iter().map(|result| format!("\n      measured {result}")).collect();
            Finding::good(format!("{works}, on {execution}: {reason}{measured}"))
        }
        Err(error) => Finding::bad(error, "Install the model again."),
    }
}

/// Runs a decoder, and reports what confines it.
fn check_decoder(require_sandbox: bool) -> Finding {
    let config = DecoderConfig::from_here();
    let sandbox = match config.and_then(|config| config.probe()) {
        Ok(sandbox) => sandbox,
        Err(error) => {
            let cause = format!("the decoder does not work: {error}");
            return Finding::bad(
                cause,
                "Check that the binary is executable, or install it again.",
            );
        }
    };
    let Some(missing) = sandbox.missing() else {
        return Finding::good("the decoder works, confined by Landlock and seccomp");
    };
    let level = sandbox.level();
    let text = format!("the decoder works, its sandbox is {level}: this system has no {missing}");
    if require_sandbox {
        Finding::bad(text, "Use a kernel with Landlock and seccomp.")
    } else {
        Finding::good(text)
    }
}

/// Runs FFmpeg in its sandbox.
fn check_ffmpeg(option: &FfmpegOption) -> Finding {
    const REMEDY: &str = "Install another FFmpeg, or use --ffmpeg never.";
    let ffmpeg = match option.find() {
        Ok(ffmpeg) => ffmpeg,
        Err(error) => return Finding::bad(error.cause(), error.remedy()),
    };
    let probed = DecoderConfig::from_here()
        .and_then(|config| DecoderConfig { ffmpeg, ..config }.probe_ffmpeg());
    match probed {
        Ok(Some(version)) => {
            Finding::good(format!("{version} decodes what Stemwire does not read"))
        }
        Ok(None) => Finding::good(
            "no ffmpeg is used: HE-AAC, AC-3, DTS, WMA and others are refused, and AAC is not written",
        ),
        Err(error) => Finding::bad(format!("ffmpeg does not work: {error}"), REMEDY),
    }
}

fn check_disk(args: &DoctorArgs) -> Finding {
    let Some(folder) = args.data_dir.clone().or_else(setup::default_data_dir) else {
        let cause = "the system has no folder for user data";
        return Finding::bad(cause, "Name a folder with --data-dir.");
    };
    let place = folder.display();
    if let Err(error) = check_writable(&folder) {
        let cause = format!("{place} cannot be written: {error}");
        return Finding::bad(cause, "Name another folder with --data-dir.");
    }
    match files::free_bytes(&folder) {
        Some(free) if free < LOW_DISK_SPACE => {
            let cause = format!("only {} MB are free at {place}", free >> 20);
            Finding::bad(cause, "Free space on this disk.")
        }
        Some(free) => Finding::good(format!("{} GB are free at {place}", free >> 30)),
        None => Finding::good(format!("{place} can be written")),
    }
}

/// Looks for sessions that a server could not read. They are no finding if there are none.
fn check_sessions(args: &DoctorArgs) -> Option<Finding> {
    let folder = args.data_dir.clone().or_else(setup::default_data_dir)?;
    let remedy = "Delete their folders, or leave them to the server, which does so after --keep.";
    match damaged_sessions(&folder) {
        Ok(damaged) if damaged.is_empty() => None,
        Ok(damaged) => {
            let ids: Vec<String> =
                damaged.iter().take(SHOWN_SESSIONS).map(ToString::to_string).collect();
            let more = if damaged.len() > ids.len() { ", …" } else { "" };
            let count = match damaged.len() {
                1 => "1 stored session has".to_owned(),
                count => format!("{count} stored sessions have"),
            };
            let cause = format!("{count} an unreadable manifest: {}{more}", ids.join(", "));
            Some(Finding::bad(cause, remedy))
        }
        Err(error) => {
            let cause = format!("the sessions in {} cannot be listed: {error}", folder.display());
            Some(Finding::bad(cause, "Check the folder's permissions."))
        }
    }
}

/// Reads the token file, if there is one, as a server does when the file changes.
fn check_token_file(args: &DoctorArgs) -> Option<Finding> {
    let file = args.token_file.as_ref()?;
    let sources =
        CredentialSources { token_file: Some(file.clone()), ..CredentialSources::default() };
    Some(check_credentials(&sources, file, format!("the tokens in {} can be used", file.display())))
}

/// Reads certificate and key, if there are some, as a server does when the files change.
fn check_certificate(args: &DoctorArgs) -> Option<Finding> {
    let (certificate, key) = args.tls_cert.as_ref().zip(args.tls_key.as_ref())?;
    let files = TlsFiles { certificate: certificate.clone(), key: key.clone() };
    let sources = CredentialSources { tls: Some(files), ..CredentialSources::default() };
    let text = format!("the certificate in {} and its key can be used", certificate.display());
    Some(check_credentials(&sources, key, text))
}

fn check_credentials(sources: &CredentialSources, secret: &Path, good: String) -> Finding {
    match Credentials::read(sources) {
        Err(error) => Finding::bad(&error, error.remedy()),
        Ok(_) if can_others_read(secret) => {
            let cause = format!("all users of this machine can read {}", secret.display());
            Finding::bad(cause, "Remove their permission (chmod o-r).")
        }
        Ok(_) => Finding::good(good),
    }
}

fn check_writable(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    tempfile::tempfile_in(folder).map(|_| ())
}

fn check_port(address: SocketAddr) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::good(format!("{address} is free for the server")),
        Err(error) => {
            let remedy = "Choose another --listen address, or stop the process that uses it.";
            Finding::bad(format!("{address} is not free: {error}"), remedy)
        }
    }
}
