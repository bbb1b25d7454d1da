/**
 * Preloaded into jest: once nothing is left to do the process ends, without Node's own clean-up of sockets, which has been seen to turn
 * for ever after the last test (24.21, `Environment::CleanupHandles`). What tests leave open still keeps the process alive.
 */
process.once('exit', (code) => process.exit(code));
