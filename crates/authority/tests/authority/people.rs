//! People whom the directories of several tests know, and the password of each.

pub(crate) const ALICE: &str = "11111111-1111-4111-8111-111111111111";
pub(crate) const BOB: &str = "22222222-2222-4222-8222-222222222222";
pub(crate) const ROOT: &str = "33333333-3333-4333-8333-333333333333";
pub(crate) const PASSWORD: &str = "correct horse";
