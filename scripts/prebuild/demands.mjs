/** What every prebuilt addon must be, whatever it was built with: the build refuses what is not, and so do the tests. */
import { compareVersions, readBinary } from './binary.mjs';

/** The one way in, and what says which Node-API it was built for. */
const entrances = /^(napi_register_module_v\d+|node_api_module_get_api_version_v\d+)$/;
/** zig's unwinder marks these for export. Windows looks names up in a given file, so they get in nobody's way there. */
const unwinder = /^(_Unwind_\w+|unw_\w+|_GCC_specific_handler)$/;
/** Operators new and delete, which C++ lets a program replace, and the linker's own: zig's keeps no list of what to show. */
const allocation = /^(_Z(n[wa]|d[la])P?[vm].*|_mh_dylib_header|__dso_handle)$/;
const nodeApi = /^(napi|node_api)_\w+$/;

/**
 * What is wrong with a target's addon, in sentences; none: it is as it must be.
 *
 * @param {import('./targets.mjs').Target} target
 * @param {Buffer} bytes
 * @returns {string[]}
 */
export function faultsOf(target, bytes) {
  const binary = readBinary(bytes);
  const faults = [];
  if (binary.format !== target.format || binary.arch !== target.arch)
    faults.push(`it is ${binary.format} for ${binary.arch}, not ${target.format} for ${target.arch}`);
  const mayShow = { elf: /^$/, pe: unwinder, macho: allocation }[target.format];
  const shown = binary.exports.filter((name) => !entrances.test(name) && !mayShow.test(name));
  if (shown.length > 0)
    faults.push(`it exports ${shown.length} names that are nobody's business: ${shown.slice(0, 5).join(', ')}`);
  if (!binary.exports.includes('napi_register_module_v1')) faults.push('it does not export napi_register_module_v1');
  const linked = binary.libraries.filter((name) => !target.libraries.test(name));
  if (linked.length > 0) faults.push(`it links ${linked.join(', ')}`);
  for (const [family, version] of Object.entries(binary.versions)) {
    const ceiling = target.ceilings?.[family];
    if (ceiling === undefined) faults.push(`it wants symbols of ${family}_${version}`);
    else if (compareVersions(version, ceiling) > 0)
      faults.push(`it wants ${family}_${version}, and ${family}_${ceiling} is the newest it may`);
  }
  if (target.format === 'elf' && !binary.staysLoaded) faults.push('it could be unloaded while its threads run');
  if (target.format === 'pe' && binary.imports.some((name) => nodeApi.test(name)))
    faults.push("it imports Node's functions from a file of a fixed name");
  // Macs with Arm processors open nothing that is not signed. On x64 the linker signs nothing, and nothing asks for it.
  const signatures = target.arch === 'arm64' ? ['ad hoc'] : ['ad hoc', 'none'];
  if (target.format === 'macho' && !signatures.includes(binary.signature))
    faults.push(`its signature is: ${binary.signature}`);
  return faults;
}
