//! At least sixty AADSTS codes, each reached over HTTP and compared with its entry in the catalogue: number, error word,
//! `suberror`, status, presence of `error_uri`, and the text, all of whose insertions must be filled in.
//!
//! One line per code, by what is wrong: with the [application](applications), its [assertion](assertions), the
//! [request](requests), the [grant](grants), the [person](people).

#![expect(clippy::unwrap_used, reason = "tests")]

mod applications;
mod assertions;
mod grants;
mod people;
mod reach;
mod requests;
mod scene;

use reach::Reach;

#[tokio::test(flavor = "multi_thread")]
async fn sixty_codes_are_reached_and_answered_as_the_catalogue_has_them() {
    let mut reach = Reach::open().await;
    applications::reach(&mut reach).await;
    assertions::reach(&mut reach).await;
    requests::reach(&mut reach).await;
    people::reach(&mut reach).await;
    // Time passes in these.
    grants::reach(&mut reach).await;
    eprintln!("{} codes: {:?}", reach.codes.len(), reach.codes);
    assert!(reach.faults.is_empty(), "{} faults\n{}", reach.faults.len(), reach.faults.join("\n\n"));
    assert!(reach.codes.len() >= 60, "only {} codes", reach.codes.len());
}
