/** How the CLI fails: one line for people on stderr, a hint where there is one, and an exit code for scripts. */
import { isGtewayError } from '../errors.js';
import { bundledModel, bundledNotice } from '../models/bundled.js';

export const exitCodes = { ok: 0, failure: 1, usage: 2, interrupted: 130 } as const;

/** The command line itself is wrong: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Something that went wrong while doing what was asked: exit code 1. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** Writes `gteway: message` to stderr. */
export function note(message: string): void {
  process.stderr.write(`gteway: ${message}\n`);
}

/** Tells the user what failed. Returns the exit code. */
export function reportFailure(error: unknown): number {
  const failure = error instanceof Error ? error : new Error(String(error));
  note(isGtewayError(failure) ? `${failure.message} [${failure.code}]` : failure.message);
  const hint = hintFor(failure);
  if (hint !== undefined) note(`hint: ${hint}`);
  if (wantsStacks()) process.stderr.write(`${stacks(failure)}\n`);
  return failure instanceof UsageError ? exitCodes.usage : exitCodes.failure;
}

function hintFor(error: Error): string | undefined {
  if (error instanceof UsageError) return 'see gteway --help, or gteway help <command>';
  if (isGtewayError(error, 'ERR_HUB_UNREACHABLE') || isGtewayError(error, 'ERR_OFFLINE')) {
    return `--model ${bundledModel} needs no network: ${bundledNotice}`;
  }
  if (isGtewayError(error, 'ERR_TEXT_TOO_LONG')) return 'without --no-truncate, long texts are cut instead';
  if (
    isGtewayError(error, 'ERR_NATIVE_LOAD') ||
    isGtewayError(error, 'ERR_RUNTIME_UNAVAILABLE') ||
    isGtewayError(error, 'ERR_DEVICE_UNAVAILABLE')
  ) {
    return 'gteway doctor shows what was found on this machine';
  }
  if (isGtewayError(error) || error instanceof CommandError || wantsStacks()) return undefined;
  return 'DEBUG=gteway shows where this happened';
}

/** DEBUG holds names separated by commas or blanks, as the debug package reads it. */
function wantsStacks(): boolean {
  return (process.env.DEBUG ?? '').split(/[\s,]+/).some((name) => name === 'gteway' || name === '*');
}

function stacks(error: Error): string {
  const own = error.stack ?? String(error);
  return error.cause instanceof Error ? `${own}\ncaused by: ${stacks(error.cause)}` : own;
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or directory',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of the path is not a directory',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
};

/** What the system said about a file, in words. */
export function systemReason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return reasons[code ?? ''] ?? message;
}
