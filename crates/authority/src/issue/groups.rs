//! The claim `groups`: which of a user's groups a token names, and what it says where they are too many.
//!
//! A registration says by `groupMembershipClaims` which groups its tokens carry. Beyond 200 they are left out and the token
//! says where they can be had (OpenID Connect Core §5.6.2). Entra's address still names a retired service; ours leads to
//! this authority's own Graph routes, which answer it. A token that travels in a URL has room for six, and says with
//! `hasgroups` that there are more.
//!
//! Source: Microsoft identity platform, "Configure group claims for applications"; "Access token claims reference".

use countersign_directory::{Application, Directory, ServicePrincipal, User};
use countersign_token::ObjectId;

use super::claims::{ClaimNames, ClaimSources};
use crate::core::Core;
use crate::refused::Refused;

/// A token in an answer's body names at most so many.
const MOST: usize = 200;

/// A token in a URL's fragment names at most so many.
const MOST_IN_URL: usize = 6;

/// The template id of the directory role Global Administrator.
const GLOBAL_ADMINISTRATOR: &str = "62e90394-69f5-4237-9190-012177145e10";

/// The template id that every member's Graph token has: the default permissions of a user.
const DEFAULT_USER: &str = "b79fbf4d-3ef9-4689-8143-76b194e85509";

/// What a token says of a user's groups.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) listed: Vec<ObjectId>,
    pub(super) claim_names: Option<ClaimNames>,
    pub(super) claim_sources: Option<ClaimSources>,
    pub(super) hasgroups: Option<bool>,
}

/// `groupMembershipClaims` of a registration, read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Membership {
    security: bool,
    all: bool,
    assigned: bool,
    directory_roles: bool,
}

impl Membership {
    fn of(application: &Application) -> Self {
        let mut wanted = Self::default();
        let text = application.registration().group_membership_claims.as_deref().unwrap_or_default();
        for word in text.split(',') {
            match word.trim() {
                "SecurityGroup" => wanted.security = true,
                "ApplicationGroup" => wanted.assigned = true,
                "DirectoryRole" => wanted.directory_roles = true,
                "All" => (wanted.all, wanted.directory_roles) = (true, true),
                _ => {}
            }
        }
        wanted
    }
}

/// The groups that a token for `application` names. `principal` is the application in the user's tenant; `in_url` says
/// that the token travels in a URL.
pub(super) async fn groups<D: Directory>(
    core: &Core<D>,
    application: &Application,
    principal: &ServicePrincipal,
    user: &User,
    in_url: bool,
) -> Result<Groups, Refused> {
    let wanted = Membership::of(application);
    let listed = if wanted.all || wanted.security {
        let memberships = core.registry.memberships(user.tenant, user.object_id).await?;
        if wanted.all { memberships.all.clone() } else { memberships.security.clone() }
    } else if wanted.assigned {
        core.registry.granted(user.tenant, user.object_id, principal.object_id).await?.through.clone()
    } else {
        return Ok(Groups::default());
    };
    Ok(bounded(listed, in_url, || {
        format!("{}/v1.0/users/{}/getMemberObjects", core.origins.own().host.origin(), user.object_id)
    }))
}

fn bounded(listed: Vec<ObjectId>, in_url: bool, endpoint: impl FnOnce() -> String) -> Groups {
    if in_url && listed.len() > MOST_IN_URL {
        return Groups { hasgroups: Some(true), ..Groups::default() };
    }
    if listed.len() > MOST {
        return Groups {
            claim_names: Some(ClaimNames::GROUPS),
            claim_sources: Some(ClaimSources { endpoint: endpoint() }),
            ..Groups::default()
        };
    }
    Groups { listed, ..Groups::default() }
}

/// The claim `wids`: the directory roles of a user, by template id. Graph's tokens always have it, others where the
/// registration asks for directory roles.
pub(super) fn directory_roles(application: &Application, user: &User, for_graph: bool) -> &'static [&'static str] {
    match (for_graph, user.is_administrator) {
        (true, true) => &[GLOBAL_ADMINISTRATOR, DEFAULT_USER],
        (true, false) => &[DEFAULT_USER],
        (false, true) if Membership::of(application).directory_roles => &[GLOBAL_ADMINISTRATOR],
        (false, _) => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

    fn application(claims: &str) -> Application {
        let document = json!({"appId": "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11", "groupMembershipClaims": claims});
        Application::from_document("6babcaad-604b-40ac-a9d7-9fd97c0b779f".parse().unwrap(), document).unwrap()
    }

    #[test]
    fn a_registration_says_which_groups() {
        let none = Membership::default();
        assert_eq!(Membership::of(&application("None")), none);
        assert_eq!(Membership::of(&application("SecurityGroup")), Membership { security: true, ..none });
        let two = Membership { security: true, assigned: true, ..none };
        assert_eq!(Membership::of(&application("SecurityGroup, ApplicationGroup")), two);
        assert_eq!(Membership::of(&application("All")), Membership { all: true, directory_roles: true, ..none });
    }

    #[test]
    fn too_many_groups_become_a_pointer_and_in_a_url_a_hint() {
        let groups = |count: u128| (0..count).map(|id| ObjectId::from_uuid(Uuid::from_u128(id))).collect::<Vec<_>>();
        let pointer = || "https://localhost/v1.0/users/x/getMemberObjects".to_owned();
        let all = bounded(groups(200), false, pointer);
        assert!(all.listed.len() == 200 && all.claim_sources.is_none() && all.hasgroups.is_none());
        let overage = bounded(groups(201), false, pointer);
        assert!(overage.listed.is_empty() && overage.claim_names.is_some());
        assert_eq!(overage.claim_sources.unwrap().endpoint, pointer());
        assert_eq!(bounded(groups(6), true, pointer).listed.len(), 6);
        let hint = bounded(groups(7), true, pointer);
        assert!(hint.listed.is_empty() && hint.claim_names.is_none());
        assert_eq!(hint.hasgroups, Some(true));
    }

    #[test]
    fn directory_roles_are_graphs_and_those_who_ask() {
        let tenant = "6babcaad-604b-40ac-a9d7-9fd97c0b779f".parse().unwrap();
        let user = User::new("11111111-1111-4111-8111-111111111111".parse().unwrap(), tenant, "a@contoso.com");
        let administrator = User { is_administrator: true, ..user.clone() };
        assert_eq!(directory_roles(&application("None"), &user, true), [DEFAULT_USER]);
        assert_eq!(directory_roles(&application("None"), &administrator, true).len(), 2);
        assert!(directory_roles(&application("SecurityGroup"), &administrator, false).is_empty());
        assert_eq!(directory_roles(&application("DirectoryRole"), &administrator, false), [GLOBAL_ADMINISTRATOR]);
        assert!(directory_roles(&application("All"), &user, false).is_empty());
    }
}
