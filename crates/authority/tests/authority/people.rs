//! Free for the tests of the grants: what stood here for a moment is `signed_in`.
