// What every script here shares: one JSON object comes in on standard input, JSON lines go out on standard output.
// The shape of attempts and outcomes is told in ../python/attempts.py; both folders speak it.

import { readFileSync } from 'node:fs';
import { mock } from 'node:test';

export const config = JSON.parse(readFileSync(0, 'utf8'));

export function report(name, outcome) {
  process.stdout.write(`${JSON.stringify({ name, ...outcome })}\n`);
}

// The AADSTS numbers in a message, in order, each once.
export function codesIn(text) {
  return [...new Set([...String(text).matchAll(/AADSTS(\d+)/g)].map((match) => Number(match[1])))];
}

// What follows is for the scripts in which a person takes part; `config.person` is the address of the server that plays
// one (src/concierge.rs).

export async function ask(route, wish) {
  const body = JSON.stringify(wish);
  const answer = await fetch(config.person + route, { method: 'POST', body });
  if (!answer.ok) throw new Error(`${route}: ${await answer.text()}`);
  return answer.json();
}

// The parameters of an address, from its query or its fragment.
export function parametersOf(location) {
  const { search, hash } = new URL(location);
  return Object.fromEntries(new URLSearchParams(search || hash.slice(1)));
}

// Moves the authority's clock and this process's own; a library cannot tell it from waiting.
export async function letTimePass(seconds) {
  await ask('/advance', { seconds });
  const now = Date.now() + seconds * 1000;
  mock.timers.reset();
  mock.timers.enable({ apis: ['Date'], now });
}

// Runs every attempt by the function that `flows` has for its `flow`; that answers the outcome's members.
export async function each(flows) {
  for (const attempt of config.attempts) {
    try {
      report(attempt.name, await flows[attempt.flow](attempt));
    } catch (error) {
      const chain = [];
      for (let cause = error; cause; cause = cause.cause) chain.push(`${cause.name}: ${cause.message}`);
      report(attempt.name, {
        exception: error.name,
        message: chain.join('\n'),
        error: error.errorCode ?? error.error,
        codes: error.error_codes ?? codesIn(`${error.message} ${error.error_description ?? ''}`),
      });
    }
  }
}
