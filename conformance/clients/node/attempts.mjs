// What every script here shares: one JSON object comes in on standard input, JSON lines go out on standard output.
// The shape of attempts and outcomes is told in ../python/attempts.py; both folders speak it.

import { readFileSync } from 'node:fs';

export const config = JSON.parse(readFileSync(0, 'utf8'));

export function report(name, outcome) {
  process.stdout.write(`${JSON.stringify({ name, ...outcome })}\n`);
}

// The AADSTS numbers in a message, in order, each once.
export function codesIn(text) {
  return [...new Set([...String(text).matchAll(/AADSTS(\d+)/g)].map((match) => Number(match[1])))];
}
