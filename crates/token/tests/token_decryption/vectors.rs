//! Encrypted tokens that we did not make: RFC 7516 appendix A.1, and Project Wycheproof's vectors for JWE, all of them.
//!
//! Without the vectors (`COUNTERSIGN_SHARED`) the second test says so and passes.

#![expect(clippy::print_stderr, reason = "a skipped test must say so")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_token::{DecryptionKey, DecryptionKeys, PrivateKey, Rejection};
use serde_json::{Value, json};

use crate::kit::encrypt::{ALGORITHMS, ENCRYPTIONS, pkcs8_of_jwk};
use crate::own_keys;

/// The one key of a JWK, under its `kid` or any name.
fn keys(jwk: &Value) -> DecryptionKeys {
    let key = PrivateKey::from_pkcs8_der(&pkcs8_of_jwk(jwk)).unwrap();
    let key_id = jwk["kid"].as_str().unwrap_or("any");
    DecryptionKeys::new(vec![DecryptionKey::without_certificate(&key, key_id).unwrap()]).unwrap()
}

#[test]
fn rfc_7516_appendix_a_1_rsa_oaep_and_a256gcm() {
    let jwk = json!({
        "kty": "RSA",
        "n": concat!(
            "oahUIoWw0K0usKNuOR6H4wkf4oBUXHTxRvgb48E-BVvxkeDNjbC4he8rUWcJoZmds2h7M70imEVhRU5djINXtqllXI4DFqcI1DgjT9LewND8",
            "MW2Krf3Spsk_ZkoFnilakGygTwpZ3uesH-PFABNIUYpOiN15dsQRkgr0vEhxN92i2asbOenSZeyaxziK72UwxrrKoExv6kc5twXTq4h-QChL",
            "Oln0_mtUZwfsRaMStPs6mS6XrgxnxbWhojf663tuEQueGC-FCMfra36C9knDFGzKsNa7LZK2djYgyD3JR_MB_4NUJW_TqOQtwHYbxevoJArm",
            "-L5StowjzGy-_bq6Gw",
        ),
        "e": "AQAB",
        "d": concat!(
            "kLdtIj6GbDks_ApCSTYQtelcNttlKiOyPzMrXHeI-yk1F7-kpDxY4-WY5NWV5KntaEeXS1j82E375xxhWMHXyvjYecPT9fpwR_M9gV8n9Hrh",
            "2anTpTD93Dt62ypW3yDsJzBnTnrYu1iwWRgBKrEYY46qAZIrA2xAwnm2X7uGR1hghkqDp0Vqj3kbSCz1XyfCs6_LehBwtxHIyh8Ripy40p24",
            "moOAbgxVw3rxT_vlt3UVe4WO3JkJOzlpUf-KTVI2Ptgm-dARxTEtE-id-4OJr0h-K-VFs3VSndVTIznSxfyrj8ILL6MG_Uv8YAu7VILSB3lO",
            "W085-4qE3DzgrTjgyQ",
        ),
        "p": concat!(
            "1r52Xk46c-LsfB5P442p7atdPUrxQSy4mti_tZI3Mgf2EuFVbUoDBvaRQ-SWxkbkmoEzL7JXroSBjSrK3YIQgYdMgyAEPTPjXv_hI2_1eTSP",
            "VZfzL0lffNn03IXqWF5MDFuoUYE0hzb2vhrlN_rKrbfDIwUbTrjjgieRbwC6Cl0",
        ),
        "q": concat!(
            "wLb35x7hmQWZsWJmB_vle87ihgZ19S8lBEROLIsZG4ayZVe9Hi9gDVCOBmUDdaDYVTSNx_8Fyw1YYa9XGrGnDew00J28cRUoeBB_jKI1oma0",
            "Orv1T9aXIWxKwd4gvxFImOWr3QRL9KEBRzk2RatUBnmDZJTIAfwTs0g68UZHvtc",
        ),
        "dp": concat!(
            "ZK-YwE7diUh0qR1tR7w8WHtolDx3MZ_OTowiFvgfeQ3SiresXjm9gZ5KLhMXvo-uz-KUJWDxS5pFQ_M0evdo1dKiRTjVw_x4NyqyXPM5nULP",
            "kcpU827rnpZzAJKpdhWAgqrXGKAECQH0Xt4taznjnd_zVpAmZZq60WPMBMfKcuE",
        ),
        "dq": concat!(
            "Dq0gfgJ1DdFGXiLvQEZnuKEN0UUmsJBxkjydc3j4ZYdBiMRAy86x0vHCjywcMlYYg4yoC4YZa9hNVcsjqA3FeiL19rk8g6Qn29Tt0cj8qqyF",
            "pz9vNDBUfCAiJVeESOjJDZPYHdHY8v1b-o-Z2X5tvLx-TCekf7oxyeKDUqKWjis",
        ),
        "qi": concat!(
            "VIMpMYbPf47dT1w_zDUXfPimsSegnMOA1zTaX7aGk_8urY6R8-ZW1FxU7AlWAyLWybqq6t16VFd7hQd0y6flUK4SlOydB61gwanOsXGOAOv8",
            "2cHq0E3eL4HrtZkUuKvnPrMnsUUFlfUdybVzxyjz9JF_XyaY14ardLSjf4L_FNY",
        ),
    });
    let jwe = concat!(
        "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.",
        "OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZKTyKOMTYUmKoTCVJRgckCL9kiMT03JGeipsEdY3mx_etLbbWSrFr05kLzcSr4qKAq7YN7e9jwQRb",
        "23nfa6c9d-StnImGyFDbSv04uVuxIp5Zms1gNxKKK2Da14B8S4rzVRltdYwam_lDp5XnZAYpQdb76FdIKLaVmqgfwX7XWRxv2322i-vDxRfq",
        "Nzo_tETKzpVLzfiwQyeyPGLBIO56YJ7eObdv0je81860ppamavo35UgoRdbYaBcoh9QcfylQr66oc6vFWXRcZ_ZT2LawVCWTIy3brGPi6Ukl",
        "fCpIMfIjf7iGdXKHzg.",
        "48V1_ALb6US04U3b.",
        "5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A.",
        "XFBoMYUZodetZdvTiFvSkQ",
    );
    let text = "The true sign of intelligence is not knowledge but imagination.";
    assert_eq!(keys(&jwk).decrypt(jwe).unwrap().as_str(), text);
    assert_eq!(own_keys().decrypt(jwe).unwrap_err(), Rejection::DecryptionFailed);
}

/// A file of vectors, or nothing where there is none.
fn vectors(name: &str) -> Option<Value> {
    #[expect(clippy::disallowed_methods, reason = "where shared material lies is the environment's business")]
    let shared = std::env::var_os("COUNTERSIGN_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = workspace.join(shared).join("vectors/wycheproof").join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(error) => {
            eprintln!("skipped: {}: {error}", path.display());
            None
        }
    }
}

/// The header's `alg` and `enc`, where there is a header.
fn algorithms(jwe: &str) -> Option<(String, String)> {
    let header = countersign_token::base64url_decode_strict(jwe.split('.').next()?).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    Some((header["alg"].as_str()?.to_owned(), header["enc"].as_str()?.to_owned()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn wycheproof_json_web_encryption() {
    let Some(file) = vectors("json_web_encryption_test.json") else { return };
    let mut counts = BTreeMap::<&str, usize>::new();
    for group in file["testGroups"].as_array().unwrap() {
        // A key of another kind is none here: its tokens go to a key of ours, and must be refused for another reason.
        let jwk = &group["private"];
        let keys = if jwk["kty"] == "RSA" { keys(jwk) } else { own_keys() };
        for test in group["tests"].as_array().unwrap() {
            let jwe = test["jwe"].as_str().map_or_else(|| test["jwe"].to_string(), str::to_owned);
            let verdict = keys.decrypt(&jwe);
            let taken = algorithms(&jwe).is_some_and(|(algorithm, encryption)| {
                ALGORITHMS.contains(&algorithm.as_str()) && ENCRYPTIONS.contains(&encryption.as_str())
            });
            let outcome = match (taken, test["result"] == "valid") {
                // RFC 7520 figure 92: an en dash in the text. It came out, or the refusal would be another.
                (true, true) if test["comment"] == "Figure92" => {
                    assert_eq!(verdict.unwrap_err(), Rejection::NotCompactJws, "{test}");
                    "valid, yet no ASCII text"
                }
                (true, true) => {
                    let text = verdict.unwrap_or_else(|refusal| panic!("{refusal}: {test}"));
                    assert_eq!(hex(text.as_str().as_bytes()), test["pt"].as_str().unwrap(), "{test}");
                    "valid"
                }
                (true, false) => {
                    verdict.unwrap_err();
                    "invalid"
                }
                (false, valid) => {
                    let refusal = verdict.unwrap_err();
                    let named =
                        algorithms(&jwe).is_some() && jwe.split('.').filter(|part| !part.is_empty()).count() == 5;
                    let zipped = test["flags"].as_array().unwrap().contains(&json!("CompressedPlaintext"));
                    if named && !zipped {
                        assert_eq!(refusal, Rejection::EncryptionNotAllowed("alg"), "{test}");
                    }
                    if valid { "valid, of an algorithm that is not decrypted here" } else { "invalid, likewise" }
                }
            };
            *counts.entry(outcome).or_default() += 1;
        }
    }
    eprintln!("{counts:#?}");
    let expected = [
        ("valid", 13),
        ("valid, yet no ASCII text", 1),
        ("valid, of an algorithm that is not decrypted here", 51),
        ("invalid, likewise", 74),
    ];
    assert_eq!(counts.values().sum::<usize>() as u64, file["numberOfTests"].as_u64().unwrap());
    assert_eq!(counts, expected.into());
}
