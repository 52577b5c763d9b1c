//! `cargo xtask pages --out DIR`: every page of the authority, in every state, as HTML and as pictures.
//!
//! Pictures are taken by headless Chromium at 1280 and at 390 pixels, light and dark; whoever changes a page looks at
//! them. The pages come from `crates/authority/src/pages/gallery.rs`. Chromium is the system's, or the one that
//! `CHROMIUM` names.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::process::{cargo, command, probe, root, run as run_command};

/// The name of a view, width and height in pixels; high enough for a long page of a flow.
const VIEWS: [(&str, u32, u32); 2] = [("desktop", 1280, 1160), ("phone", 390, 1160)];
/// The name of a colour scheme, and what makes Chromium prefer it.
const SCHEMES: [(&str, &str); 2] = [("light", "preferredColorScheme=1"), ("dark", "preferredColorScheme=0")];

/// `cargo xtask pages --out DIR [NAME…]`.
pub(crate) fn run(arguments: &[&str]) -> ExitCode {
    let ["--out", folder, names @ ..] = arguments else {
        eprintln!("cargo xtask pages --out DIR [PAGE…]");
        return ExitCode::from(2);
    };
    match draw(&root().join(folder), names) {
        Ok(pictures) => {
            println!("{pictures} pictures in {folder}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn draw(folder: &Path, names: &[&str]) -> Result<usize, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut write =
        cargo(&["test", "--quiet", "-p", "countersign-authority", "--lib", "pages::gallery::write", "--", "--ignored"]);
    write.env("COUNTERSIGN_PAGES", folder);
    run_command(write)?;
    let mut pages: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(failed)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "html"))
        // Nothing is to be seen of the check-session page.
        .filter(|path| path.file_stem().is_some_and(|stem| stem != "check-session"))
        .filter(|path| names.is_empty() || path.file_stem().is_some_and(|stem| names.iter().any(|name| stem == *name)))
        .collect();
    pages.sort();
    let browser = chromium().ok_or("no Chromium here: install `chromium`, or name one with CHROMIUM")?;
    let mut pictures = 0;
    for page in &pages {
        for view in VIEWS {
            for scheme in SCHEMES {
                photograph(&browser, page, view, scheme)?;
                pictures += 1;
            }
        }
    }
    Ok(pictures)
}

fn chromium() -> Option<String> {
    let named = std::env::var("CHROMIUM").ok();
    let usual = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"].map(str::to_owned);
    named.into_iter().chain(usual).find(|name| {
        let mut ask = command(name);
        ask.arg("--version");
        probe(ask).0
    })
}

/// Takes one picture. No host outside is asked.
fn photograph(browser: &str, page: &Path, view: (&str, u32, u32), scheme: (&str, &str)) -> Result<(), String> {
    let picture = page.with_extension(format!("{}.{}.png", view.0, scheme.0));
    let _ = std::fs::remove_file(&picture);
    let mut photograph = command(browser);
    photograph
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
        .arg("--host-resolver-rules=MAP * ~NOTFOUND")
        .arg(format!("--blink-settings={}", scheme.1))
        .arg(format!("--window-size={},{}", view.1, view.2))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", page.display()));
    let (_, said) = probe(photograph);
    if picture.exists() { Ok(()) } else { Err(format!("{}: {said}", page.display())) }
}
