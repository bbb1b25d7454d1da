/** The words that read and print: no action stands behind them. */
export { check } from './check.ts';
export { info } from './info.ts';
export { getDockerImage, getLatestDeployment } from './latest.ts';
export { list, listClusters } from './list.ts';
export type { ReaderWire } from './trees.ts';
