/**
 * The boundary between lib/ and the addon, written down. lib/native/binding.ts is the only file that loads it.
 *
 * Arguments are positional, already validated and already defaulted: options objects never cross.
 */

/** What the .node exports. */
export interface NativeBinding {
  /** The package version the addon was compiled from. */
  readonly version: string;
}
