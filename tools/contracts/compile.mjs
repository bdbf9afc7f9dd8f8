// Compiles every contract here with the solc given and writes one artifact each: interface, code, and the hash of what it
// was built from.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const [modules, out] = process.argv.slice(2);
const solc = createRequire(join(modules, "package.json"))("solc");
// Each contract and the file it is in.
const BUILT = {
  Matching: "Matching",
  MandateSigner: "MandateSigner",
  PackageSigner: "PackageSigner",
  AtomicExecutor: "AtomicExecutor",
  Books: "Books",
  BasisSigner: "BasisSigner",
  SpreadSigner: "SpreadSigner",
  Token: "Shares",
  Feed: "Kinds",
  OracleFeed: "OracleFeed",
  Wrapper: "Kinds",
};

const names = readdirSync(here).filter((name) => name.endsWith(".sol")).sort();
const hash = createHash("sha256");
for (const name of [...names, "compile.mjs"]) {
  const text = readFileSync(join(here, name));
  hash.update(`${name}\n${text.length}\n`).update(text);
}
const source_sha256 = hash.digest("hex");

const settings = {
  optimizer: { enabled: true, runs: 200 },
  evmVersion: "paris",
  metadata: { bytecodeHash: "none", appendCBOR: false },
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
};
const sources = Object.fromEntries(names.map((name) => [name, { content: readFileSync(join(here, name), "utf8") }]));
const output = JSON.parse(solc.compile(JSON.stringify({ language: "Solidity", sources, settings })));
const problems = output.errors ?? [];
for (const problem of problems) console.error(problem.formattedMessage);
if (problems.length > 0) process.exit(1);

mkdirSync(out, { recursive: true });
for (const [contract, file] of Object.entries(BUILT)) {
  const { abi, evm } = output.contracts[`${file}.sol`][contract];
  const artifact = {
    contract,
    compiler: solc.version(),
    source_sha256,
    bytecode: `0x${evm.bytecode.object}`,
    deployed_bytecode: `0x${evm.deployedBytecode.object}`,
    abi,
  };
  writeFileSync(join(out, `${contract}.json`), `${JSON.stringify(artifact, null, 1)}\n`);
  console.log(`${contract}: ${evm.deployedBytecode.object.length / 2} bytes of code`);
}
