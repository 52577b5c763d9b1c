// Microsoft's clients for Go, MSAL and azidentity, unmodified: attempts come in as one JSON object on standard input,
// outcomes go out as JSON lines. Their shape is told in ../python/attempts.py. The argument says which of the two.
//
// The authority's certificate is trusted through SSL_CERT_FILE.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
)

type credential struct {
	Secret      string `json:"secret"`
	Assertion   string `json:"assertion"`
	PrivateKey  string `json:"private_key"`
	Certificate string `json:"certificate"`
	Style       string `json:"style"`
}

type attempt struct {
	Name       string      `json:"name"`
	Flow       string      `json:"flow"`
	Tenant     string      `json:"tenant"`
	ClientID   string      `json:"client_id"`
	Credential *credential `json:"credential"`
	Scope      string      `json:"scope"`
	// For another API: a token that no cache has, so that the refresh token is used. The libraries' own clock cannot be
	// moved.
	OtherScope  string `json:"other_scope"`
	RedirectURI string `json:"redirect_uri"`
	Assertion   string `json:"assertion"`
	Login       string `json:"login"`
	Password    string `json:"password"`
	Seconds     int    `json:"seconds"`
}

type input struct {
	Authority string    `json:"authority"`
	Default   bool      `json:"default_configuration"`
	Person    string    `json:"person"`
	Attempts  []attempt `json:"attempts"`
}

type outcome map[string]any

var config input

func main() {
	if err := json.NewDecoder(os.Stdin).Decode(&config); err != nil {
		panic(err)
	}
	library := map[string]func(context.Context, attempt) (outcome, error){"msal": msal, "azidentity": azureIdentity}
	run := library[os.Args[1]]
	output := json.NewEncoder(os.Stdout)
	for _, wanted := range config.Attempts {
		result, err := run(context.Background(), wanted)
		if err != nil {
			result = outcome{"exception": fmt.Sprintf("%T", err), "message": err.Error(), "codes": codes(err)}
		}
		result["name"] = wanted.Name
		if err := output.Encode(result); err != nil {
			panic(err)
		}
	}
}

var number = regexp.MustCompile(`AADSTS(\d+)`)

// The AADSTS numbers that the error's text has, each once.
func codes(err error) []int {
	found, seen := []int{}, map[int]bool{}
	for _, match := range number.FindAllStringSubmatch(err.Error(), -1) {
		if code, err := strconv.Atoi(match[1]); err == nil && !seen[code] {
			seen[code] = true
			found = append(found, code)
		}
	}
	return found
}

// Asks the person of ../../src/concierge.rs to do something.
func ask(route string, wish any) (map[string]string, error) {
	body, err := json.Marshal(wish)
	if err != nil {
		return nil, err
	}
	response, err := http.Post(config.Person+route, "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", route, text)
	}
	answer := map[string]string{}
	return answer, json.Unmarshal(text, &answer)
}

// The code that an authorization request leads to.
func signIn(address string) (string, error) {
	answer, err := ask("/authorize", map[string]string{"url": address})
	if err != nil {
		return "", err
	}
	location, err := url.Parse(answer["location"])
	if err != nil {
		return "", err
	}
	if refusal := location.Query().Get("error_description"); refusal != "" {
		return "", fmt.Errorf("%s", refusal)
	}
	return location.Query().Get("code"), nil
}

func advance(wanted attempt) error {
	seconds := wanted.Seconds
	if seconds == 0 {
		seconds = 7200
	}
	_, err := ask("/advance", map[string]int{"seconds": seconds})
	return err
}
