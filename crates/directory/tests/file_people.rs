//! Mistakes in what a directory file says of people, groups, managed identities and what a tenant allows.
#![expect(clippy::unwrap_used, reason = "tests")]

mod file_support;

use file_support::{application, assert_wrong, tenant, warned};

#[test]
fn properties_of_tenants_and_users() {
    let properties = "enabled: no\nuserConsentAllowed: 1\nownSigningKeys: \"true\"\ntrustedCertificateAuthorities: [x, 1]\n\
                      users:\n- {userPrincipalName: a@contoso.com, userType: guest, administrator: yes, groups: staff}\n\
                      domains: [contoso.com]\nuserConsentAlowed: true";
    assert_wrong(
        &tenant(properties),
        &[
            "3: tenants[0].enabled: a text where true or false belongs; write true or false, without quotation marks",
            "4: tenants[0].userConsentAllowed: a number where true or false belongs; \
         write true or false, without quotation marks",
            "5: tenants[0].ownSigningKeys: a text where true or false belongs; write true or false, without quotation marks",
            "6: tenants[0].trustedCertificateAuthorities[0]: not a certificate in PEM: no PEM block CERTIFICATE found; \
         write a certificate with an RSA key of 2048 bits or more",
            "6: tenants[0].trustedCertificateAuthorities[1]: a number where a text belongs; put it in quotation marks",
            "8: tenants[0].users[0].userType: neither Member nor Guest; write Member or Guest",
            "8: tenants[0].users[0].administrator: a text where true or false belongs; \
         write true or false, without quotation marks",
            "8: tenants[0].users[0].groups: a text where a list belongs; write a list",
            "10: tenants[0].userConsentAlowed: unknown member `userConsentAlowed`; did you mean `userConsentAllowed`?",
        ],
    );
}

#[test]
fn groups() {
    let groups = "applications: [{appId: 22222222-2222-4222-8222-222222222222, displayName: Staff}]\n\
                  groups:\n\
                  - {displayName: Staff, members: [Staff]}\n\
                  - {displayName: Staff, id: 1}\n\
                  - {members: []}\n\
                  - {displayName: Board, members: [1, \"\"]}\n\
                  - {displayName: All, members: [Staff]}\n";
    assert_wrong(
        &tenant(groups),
        &[
            "5: tenants[0].groups[0].members[0]: `Staff` is the name of a group and of an application; \
         write the group's id or the application's appId",
            "6: tenants[0].groups[1].id: a number where a text belongs; put it in quotation marks",
            "6: tenants[0].groups[1].displayName: the displayName Staff is also at tenants[0].groups[0].displayName (line 5); \
         give one of them another displayName, or remove it",
            "7: tenants[0].groups[2]: `displayName` is missing; add it",
            "8: tenants[0].groups[3].members[0]: a number where a text belongs; put it in quotation marks",
            "8: tenants[0].groups[3].members[1]: an empty text; write something, or leave the member out",
            "9: tenants[0].groups[4].members[0]: `Staff` is the name of a group and of an application; \
         write the group's id or the application's appId",
        ],
    );
    let exported = "groups: [{displayName: Staff, mailNickname: staff, '@odata.id': x, member: []}]";
    assert_eq!(
        warned(&tenant(exported)),
        [
            "3: tenants[0].groups[0].mailNickname: unknown member `mailNickname`; it is left out",
            "3: tenants[0].groups[0].member: unknown member `member`; did you mean `members`?",
        ]
    );
}

#[test]
fn managed_identities() {
    let identities = "applications: [{appId: 22222222-2222-4222-8222-222222222222, displayName: App}]\n\
                      managedIdentities:\n\
                      - {clientId: 22222222-2222-4222-8222-222222222222, name: One}\n\
                      - {name: Two, displayName: Zwei}\n\
                      - {id: 33333333-3333-4333-8333-333333333333}\n\
                      - {name: Four, clientID: 33333333-3333-4333-8333-333333333333}\n\
                      - {name: Five}\n\
                      - {displayName: Five}\n";
    let derived = countersign_directory::derived_object_id(
        "6babcaad-604b-40ac-a9d7-9fd97c0b779f".parse().unwrap(),
        "managedIdentity",
        "Five",
    );
    assert_wrong(
        &tenant(identities),
        &[
            "5: tenants[0].managedIdentities[0].clientId: the appId 22222222-2222-4222-8222-222222222222 is also at \
         tenants[0].applications[0].appId (line 3); give one of them another appId, or remove it",
            "6: tenants[0].managedIdentities[1].displayName: both `name` and `displayName`; remove one of them",
            "7: tenants[0].managedIdentities[2]: `name` is missing; add it",
            "8: tenants[0].managedIdentities[3].clientID: unknown member `clientID`; did you mean `clientId`?",
            &format!(
                "10: tenants[0].managedIdentities[5]: the appId {derived} is also at tenants[0].managedIdentities[4] \
         (line 9); give one of them another appId, or remove it"
            ),
        ],
    );
    let key = application("servicePrincipal: false\nownSigningKey: true");
    assert_wrong(
        &key,
        &["6: tenants[0].applications[0].ownSigningKey: a key of its own without a service principal; \
         remove one of the two"],
    );
    assert_eq!(warned(&application("ownSigningKey: true")), [""; 0]);
}
