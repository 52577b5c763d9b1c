// MSAL for Java, unmodified: attempts come in as one JSON object on standard input, outcomes go out as JSON lines. Their
// shape is told in ../python/attempts.py.

import com.azure.json.JsonProviders;
import com.azure.json.JsonReader;
import com.azure.json.JsonWriter;
import com.microsoft.aad.msal4j.*;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.StringWriter;
import java.net.URI;
import java.net.URLDecoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.*;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;

public final class Client {
    private static Map<String, Object> config;
    private static SSLSocketFactory trust;

    @SuppressWarnings("unchecked")
    public static void main(String[] arguments) throws Exception {
        config = (Map<String, Object>) parsed(new String(System.in.readAllBytes(), StandardCharsets.UTF_8));
        trust = trusting(Path.of((String) config.get("ca")));
        for (Object each : (List<Object>) config.get("attempts")) {
            Map<String, Object> attempt = (Map<String, Object>) each;
            Map<String, Object> outcome;
            try {
                outcome = run(attempt);
            } catch (Exception error) {
                Throwable cause = error.getCause() == null ? error : error.getCause();
                outcome = new LinkedHashMap<>();
                outcome.put("exception", cause.getClass().getSimpleName());
                outcome.put("message", String.valueOf(cause.getMessage()));
                outcome.put("error", cause instanceof MsalException msal ? msal.errorCode() : null);
                outcome.put("codes", codes(String.valueOf(cause.getMessage())));
            }
            outcome.put("name", attempt.get("name"));
            System.out.println(written(outcome));
        }
    }

    private static Map<String, Object> run(Map<String, Object> attempt) throws Exception {
        String authority = config.get("authority") + "/" + attempt.get("tenant") + "/";
        String client = (String) attempt.get("client_id");
        boolean discovers = Boolean.TRUE.equals(config.get("default_configuration"));
        @SuppressWarnings("unchecked")
        Map<String, Object> given = (Map<String, Object>) attempt.get("credential");
        if (given == null) {
            return publicFlow(
                PublicClientApplication.builder(client).authority(authority).instanceDiscovery(discovers)
                    .sslSocketFactory(trust).build(),
                attempt);
        }
        return confidentialFlow(
            ConfidentialClientApplication.builder(client, credential(given)).authority(authority)
                .instanceDiscovery(discovers).sslSocketFactory(trust).build(),
            attempt);
    }

    private static IClientCredential credential(Map<String, Object> given) throws Exception {
        if (given.containsKey("secret")) {
            return ClientCredentialFactory.createFromSecret((String) given.get("secret"));
        }
        if (given.containsKey("assertion")) {
            return ClientCredentialFactory.createFromClientAssertion((String) given.get("assertion"));
        }
        String pem = ((String) given.get("private_key")).replaceAll("-----[A-Z ]+-----|\\s", "");
        PrivateKey key = KeyFactory.getInstance("RSA")
            .generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem)));
        return ClientCredentialFactory.createFromCertificate(key, certificate((String) given.get("certificate")));
    }

    private static Map<String, Object> confidentialFlow(ConfidentialClientApplication app, Map<String, Object> attempt)
            throws Exception {
        Set<String> scopes = Set.of((String) attempt.get("scope"));
        switch ((String) attempt.get("flow")) {
            case "client_credentials": {
                ClientCredentialParameters wanted = ClientCredentialParameters.builder(scopes).build();
                String first = app.acquireToken(wanted).get().accessToken();
                return twice(first, app.acquireToken(wanted).get().accessToken());
            }
            case "on_behalf_of": {
                OnBehalfOfParameters wanted = OnBehalfOfParameters
                    .builder(scopes, new UserAssertion((String) attempt.get("assertion"))).skipCache(false).build();
                String first = app.acquireToken(wanted).get().accessToken();
                return twice(first, app.acquireToken(wanted).get().accessToken());
            }
            case "refresh_token":
                return outcome(app.acquireToken(
                    RefreshTokenParameters.builder(scopes, (String) attempt.get("refresh_token")).build()).get());
            case "authorization_code": {
                String redirect = (String) attempt.get("redirect_uri");
                String verifier = UUID.randomUUID() + "-" + UUID.randomUUID();
                byte[] digest = MessageDigest.getInstance("SHA-256").digest(verifier.getBytes());
                String challenge = Base64.getUrlEncoder().withoutPadding().encodeToString(digest);
                String url = app.getAuthorizationRequestUrl(
                    AuthorizationRequestUrlParameters.builder(redirect, scopes).responseMode(ResponseMode.QUERY)
                        .codeChallenge(challenge).codeChallengeMethod("S256").build()).toString();
                Map<String, String> answer = parameters(ask("/authorize", Map.of("url", url)).get("location"));
                IAuthenticationResult first = app.acquireToken(
                    AuthorizationCodeParameters.builder(answer.get("code"), new URI(redirect)).scopes(scopes)
                        .codeVerifier(verifier).build()).get();
                return signedIn(app, attempt, scopes, first);
            }
            default:
                throw new IllegalArgumentException("no such flow for a confidential client");
        }
    }

    private static Map<String, Object> publicFlow(PublicClientApplication app, Map<String, Object> attempt)
            throws Exception {
        Set<String> scopes = Set.of((String) attempt.get("scope"));
        switch ((String) attempt.get("flow")) {
            case "password":
                return signedIn(app, attempt, scopes, app.acquireToken(
                    UserNamePasswordParameters.builder(
                        scopes, (String) attempt.get("login"), ((String) attempt.get("password")).toCharArray())
                        .build()).get());
            case "device_code":
                return signedIn(app, attempt, scopes, app.acquireToken(
                    DeviceCodeFlowParameters.builder(
                        scopes, device -> ask("/device", Map.of("user_code", device.userCode()))).build()).get());
            default:
                throw new IllegalArgumentException("no such flow for a public client");
        }
    }

    private static Map<String, Object> signedIn(
            AbstractClientApplicationBase app, Map<String, Object> attempt, Set<String> scopes,
            IAuthenticationResult first) throws Exception {
        IAuthenticationResult again =
            app.acquireTokenSilently(SilentParameters.builder(scopes, first.account()).build()).get();
        ask("/advance", Map.of("seconds", attempt.getOrDefault("seconds", 7200)));
        IAuthenticationResult renewed = app.acquireTokenSilently(
            SilentParameters.builder(scopes, first.account()).forceRefresh(true).build()).get();
        Map<String, Object> outcome = twice(first.accessToken(), again.accessToken());
        outcome.put("renewed", renewed.accessToken());
        outcome.put("account", first.account().username());
        outcome.put("home", first.account().homeAccountId());
        return outcome;
    }

    private static Map<String, Object> twice(String first, String again) {
        Map<String, Object> outcome = new LinkedHashMap<>();
        outcome.put("token", first);
        outcome.put("again_from", first.equals(again) ? "cache" : "network");
        return outcome;
    }

    private static Map<String, Object> outcome(IAuthenticationResult result) {
        return new LinkedHashMap<>(Map.of("token", result.accessToken()));
    }

    private static Map<String, String> ask(String route, Map<String, Object> wish) {
        try {
            HttpRequest request = HttpRequest.newBuilder(new URI(config.get("person") + route))
                .version(HttpClient.Version.HTTP_1_1)
                .POST(HttpRequest.BodyPublishers.ofString(written(wish))).build();
            HttpResponse<String> answer =
                HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
            if (answer.statusCode() != 200) {
                throw new IllegalStateException(route + ": " + answer.body());
            }
            @SuppressWarnings("unchecked")
            Map<String, String> members = (Map<String, String>) parsed(answer.body());
            return members;
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    private static Map<String, String> parameters(String location) {
        Map<String, String> found = new HashMap<>();
        for (String pair : URI.create(location).getRawQuery().split("&")) {
            String[] parts = pair.split("=", 2);
            found.put(parts[0], URLDecoder.decode(parts[1], StandardCharsets.UTF_8));
        }
        return found;
    }

    private static List<Object> codes(String message) {
        return Pattern.compile("AADSTS(\\d+)").matcher(message).results()
            .map(match -> (Object) Integer.valueOf(match.group(1))).distinct().toList();
    }

    private static X509Certificate certificate(String pem) throws Exception {
        InputStream bytes = new ByteArrayInputStream(pem.getBytes(StandardCharsets.UTF_8));
        return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(bytes);
    }

    private static SSLSocketFactory trusting(Path ca) throws Exception {
        KeyStore roots = KeyStore.getInstance(KeyStore.getDefaultType());
        roots.load(null, null);
        roots.setCertificateEntry("authority", certificate(Files.readString(ca)));
        TrustManagerFactory managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(roots);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, managers.getTrustManagers(), null);
        return context.getSocketFactory();
    }

    private static Object parsed(String text) throws Exception {
        try (JsonReader reader = JsonProviders.createReader(text)) {
            return reader.readUntyped();
        }
    }

    private static String written(Map<String, Object> members) throws Exception {
        StringWriter text = new StringWriter();
        try (JsonWriter writer = JsonProviders.createWriter(text)) {
            writer.writeUntyped(members);
        }
        return text.toString();
    }
}
