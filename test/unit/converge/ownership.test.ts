import { movedOwnership } from '../../../src/shared/converge/ownership.ts';

describe('ownership before an adoption', () => {
  it("moves what others wrote to us, and leaves the controllers' status alone", () => {
    const managed = [
      {
        manager: 'OpenAPI-Generator',
        operation: 'Update',
        apiVersion: 'apps/v1',
        fieldsV1: { 'f:spec': { 'f:replicas': {}, 'f:paused': {} } },
      },
      {
        manager: 'kubectl-edit',
        operation: 'Update',
        apiVersion: 'apps/v1',
        fieldsV1: { 'f:spec': { 'f:paused': {}, 'f:minReadySeconds': {} } },
      },
      { manager: 'kube-controller-manager', operation: 'Update', subresource: 'status', fieldsV1: { 'f:status': {} } },
    ];
    expect(movedOwnership(managed, 'paasta')).toEqual([
      managed[2],
      {
        manager: 'paasta',
        operation: 'Apply',
        apiVersion: 'apps/v1',
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:spec': { 'f:replicas': {}, 'f:paused': {}, 'f:minReadySeconds': {} } },
      },
    ]);
  });

  it('leaves the count with whoever has it where an autoscaler decides on it', () => {
    const theirs = { manager: 'OpenAPI-Generator', operation: 'Update', apiVersion: 'apps/v1' };
    expect(
      movedOwnership([{ ...theirs, fieldsV1: { 'f:spec': { 'f:replicas': {}, 'f:paused': {} } } }], 'paasta', undefined, true),
    ).toEqual([
      { ...theirs, fieldsV1: { 'f:spec': { 'f:replicas': {} } } },
      { manager: 'paasta', operation: 'Apply', apiVersion: 'apps/v1', fieldsType: 'FieldsV1', fieldsV1: { 'f:spec': { 'f:paused': {} } } },
    ]);
    expect(movedOwnership([{ ...theirs, fieldsV1: { 'f:spec': { 'f:replicas': {} } } }], 'paasta', undefined, true)).toBeUndefined();
  });

  it('has nothing to do when everything is ours already', () => {
    expect(movedOwnership([{ manager: 'paasta', operation: 'Apply', fieldsV1: {} }], 'paasta')).toBeUndefined();
  });
});
