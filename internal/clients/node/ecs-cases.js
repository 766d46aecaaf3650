'use strict';
// The calls of ECS that the project relies on, for any client. See openapi.js for what dial is.

const assert = require('node:assert/strict');
const { until } = require('./harness');
const { checked, refused, strangers, troubles } = require('./openapi');

const missing = (name) => [400, 'MissingParameter', `An input parameter "${name}" that is mandatory for processing the request is not supplied.`];
const noRegion = [400, 'InvalidRegionId.NotFound', 'The specified RegionId does not exist.'];
const noImage = [404, 'InvalidImageId.NotFound', 'The specified ImageId does not exist.'];
const noTask = [400, 'InvalidTaskId.NotFound', 'The specified TaskId does not exist.'];
const forbidden = [403, 'Forbidden.RAM', "User not authorized to operate on the specified resource, or this API doesn't support RAM."];

// actions are what is called, with parameters that would do, and which of those are required.
const actions = {
  DescribeRegions: [{}, []],
  DescribeImages: [{ RegionId: 'cn-hangzhou' }, ['RegionId']],
  CreateImage: [{ RegionId: 'cn-hangzhou', InstanceId: 'i-bp1made0up0000000000', ImageName: 'never-made' }, ['RegionId']],
  DeleteImage: [{ RegionId: 'cn-hangzhou', ImageId: 'm-second' }, ['RegionId', 'ImageId']],
  ModifyImageAttribute: [{ RegionId: 'cn-hangzhou', ImageId: 'm-second', Description: 'never' }, ['RegionId', 'ImageId']],
  TagResources: [{ RegionId: 'cn-hangzhou', ResourceType: 'image', ResourceId: ['m-second'], Tag: [{ Key: 'never', Value: '' }] }, ['RegionId', 'ResourceType']],
  ExportImage: [{ RegionId: 'cn-hangzhou', ImageId: 'm-second', OSSBucket: 'ferry-images' }, ['RegionId', 'ImageId', 'OSSBucket']],
  DescribeTasks: [{ RegionId: 'cn-hangzhou' }, ['RegionId']],
  DescribeTaskAttribute: [{ RegionId: 'cn-hangzhou', TaskId: 't-bp1none' }, ['RegionId', 'TaskId']],
  CancelTask: [{ RegionId: 'cn-hangzhou', TaskId: 't-bp1none' }, ['RegionId', 'TaskId']],
};

// without is params without one of them.
const without = (params, name) => Object.fromEntries(Object.entries(params).filter(([key]) => key !== name));

// ecsCases are the cases for a scene. A client that cannot express a call says so in unable.
function ecsCases(places, dial, { unable = [] } = {}) {
  const cases = [];
  const on = (place, key = 'admin') => dial(places[place], 'ecs', places[place].keys[key]);
  const add = (name, f) => { if (!unable.includes(name)) cases.push([name, f]); };
  const refuses = (name, place, key, action, params, want, minutes = 0) =>
    add(name, () => refused(dial(place, 'ecs', key), action, params, want, { product: 'Ecs', host: place.ecs, minutes }));
  const main = places.main;
  const main_ = on('main');
  const ask = (action, params) => checked(main_, action, { RegionId: main.region, ...params });

  for (const [action, [params, required]] of Object.entries(actions)) {
    for (const [name, key, minutes, want] of strangers(main.keys)) refuses(`${action}/${name}`, main, key, action, params, want, minutes);
    for (const [name, place, want] of troubles(places)) refuses(`${action}/${name}`, place, place.keys.admin, action, params, want);
    refuses(`${action}/no permission`, main, main.keys.nobody, action, params, forbidden);
    for (const name of required) refuses(`${action}/without ${name}`, main, main.keys.admin, action, without(params, name), missing(name));
    if (required.includes('RegionId')) refuses(`${action}/wrong region`, main, main.keys.admin, action, { ...params, RegionId: 'cn-nowhere' }, noRegion);
  }

  add('DescribeRegions/success', async () => {
    const { Regions: { Region } } = await checked(main_, 'DescribeRegions', {});
    for (const id of [main.region, 'ap-southeast-1']) {
      const { RegionEndpoint, Status } = Region.find((r) => r.RegionId === id);
      assert.deepEqual([RegionEndpoint, Status], [`ecs.${id}.aliyuncs.com`, 'available']);
    }
  });
  for (const key of ['admin', 'session']) {
    add(`DescribeImages/${key} sees an image`, async () => {
      const body = await checked(on('main', key), 'DescribeImages', { RegionId: main.region, ImageId: 'm-plain' });
      assert.deepEqual([body.TotalCount, body.PageNumber, body.PageSize, body.RegionId], [1, 1, 10, main.region]);
      const [image] = body.Images.Image;
      assert.deepEqual(
        [image.ImageId, image.ImageName, image.Description, image.ImageFamily, image.Status, image.Progress, image.Size, image.OSType, image.ImageOwnerAlias, image.CreationTime, image.IsCopied],
        ['m-plain', 'plain', '<a> & "b"', 'golden', 'Available', '100%', 40, 'linux', 'self', '2026-01-02T03:04:05Z', false]);
      assert.equal(String(image.ImageOwnerId), '1234567890123456');
      assert.deepEqual(image.Tags.Tag.map((t) => [t.TagKey, t.TagValue]), [['env', 'prod & test'], ['team', 'core']]);
      assert.deepEqual(image.DiskDeviceMappings.DiskDeviceMapping.map((d) => [d.Device, d.Type, d.Size]),
        [['/dev/xvda', 'system', '40'], ['/dev/xvdb', 'data', '20'], ['/dev/xvdc', 'data', '20']]);
    });
  }
  for (const [name, params, ids] of [
    ['no such image', { ImageId: 'm-none' }, []],
    ['odd name', { ImageName: 'golden *~+ 图像 & =?#\'()!%2F;,:@$[]' }, ['m-odd']],
    ['fuzzy name', { ImageName: 'de' , Status: 'ALL', ImageOwnerAlias: 'self', ImageFamily: 'golden' }, []],
    ['tags', { Tag: [{ Key: 'team', Value: 'core' }, { Key: 'env', Value: 'prod & test' }] }, ['m-plain']],
    ['tag of another value', { Tag: [{ Key: 'team', Value: 'other' }] }, []],
    ['family', { ImageFamily: 'golden' }, ['m-plain']],
    ['operating system', { OSType: 'windows' }, ['m-windows']],
    ['owner', { ImageOwnerAlias: 'others' }, ['m-shared']],
    ['creating is not listed', { ImageId: 'm-creating' }, []],
    ['creating when asked for', { ImageId: 'm-creating', Status: 'Waiting,Creating,CreateFailed,Available' }, ['m-creating']],
    ['all states', { ImageId: 'm-deprecated', Status: 'ALL' }, ['m-deprecated']],
    ['creation time', { Filter: [{ Key: 'CreationStartTime', Value: '2026-01-02T03:06Z' }, { Key: 'CreationEndTime', Value: '2026-01-02T03:06Z' }] }, ['m-page115']],
    ['behind the last page', { PageNumber: 1000 }, []],
  ]) {
    add(`DescribeImages/${name}`, async () => {
      const body = await ask('DescribeImages', params);
      assert.deepEqual(body.Images.Image.map((i) => i.ImageId), ids);
    });
  }
  for (const size of [7, 50, 100]) {
    add(`DescribeImages/pages of ${size} to the end`, async () => {
      const found = new Set();
      let pages = 0;
      for (let total = Infinity; pages * size < total;) {
        const body = await ask('DescribeImages', { ImageName: 'page-', PageNumber: ++pages, PageSize: size });
        total = body.TotalCount;
        assert.ok(body.Images.Image.length === size || pages * size >= total);
        for (const image of body.Images.Image) found.add(image.ImageId);
      }
      assert.deepEqual([found.size, pages], [123, Math.ceil(123 / size)]);
    });
  }
  for (const [name, params, want] of [
    ['pages of 101', { PageSize: 101 }, [400, 'InvalidParameter']],
    ['page 0', { PageNumber: 0 }, [400, 'InvalidParameter']],
    ['ALL and another state', { Status: 'ALL,Available' }, [400, 'InvalidParameter']],
    ['dry run', { DryRun: true }, [400, 'DryRunOperation', 'Request validation has been passed with DryRun flag set.']],
  ]) refuses(`DescribeImages/${name}`, main, main.keys.admin, 'DescribeImages', { RegionId: main.region, ...params }, want);

  addExports();
  addTasks();
  addChanges();
  return cases;

  function addExports() {
    const exporting = (params) => ({ RegionId: main.region, ImageId: 'm-second', OSSBucket: 'ferry-images', ...params });
    const prefix = [400, 'InvalidOSSPrefix.Malformed', 'The specified OSSPrefix format is wrongly formed.'];
    const license = [403, 'InvalidImageLicense.NotSupported'];
    const disks = [400, 'InvalidImage.DiskAmountOrSize'];
    const noRole = [403, 'NoSetRoletoECSServiceAcount', 'ECS service account Have no right to access your OSS.please attach a role of access your oss to ECS service account.'];
    for (const [name, place, params, want] of [
      ['no such image', 'main', { ImageId: 'm-none' }, noImage],
      ['prefix with a slash', 'main', { OSSPrefix: 'a/b' }, prefix],
      ['prefix with a hyphen', 'main', { OSSPrefix: 'a-b' }, prefix],
      ['prefix of 31', 'main', { OSSPrefix: 'a'.repeat(31) }, prefix],
      ['unknown format', 'main', { ImageFormat: 'iso' }, [400, 'InvalidImageFormat.Malformed', 'The specified Image Format is wrongly formed.']],
      ['format of other regions', 'main', { ImageFormat: 'qcow2' }, [400, 'InvalidImageFormat.RegionNotSupported', 'The specified image format is not supported in current region.']],
      ['creating', 'main', { ImageId: 'm-creating' }, [400, 'IncorrectImageStatus', 'The specified Image is not available.']],
      ['windows', 'main', { ImageId: 'm-windows' }, license],
      ['license', 'main', { ImageId: 'm-licensed' }, license],
      ['marketplace', 'main', { ImageId: 'm-market' }, [403, 'ImageNotSupported', 'The specified image from the image market, do not support export image.']],
      ['shared', 'main', { ImageId: 'm-shared' }, [403, 'InvalidImageCategory.NotSupported', 'The specified image category is not supported.']],
      ['encrypted snapshots', 'main', { ImageId: 'm-encrypted' }, [400, 'ImageNotSupported', 'The specified Image contains encrypted snapshots, do not support export.']],
      ['five data disks', 'main', { ImageId: 'm-five' }, disks],
      ['large data disk', 'main', { ImageId: 'm-large' }, disks],
      ['no such bucket', 'main', { OSSBucket: 'ferry-none' }, [400, 'InvalidOSSBucket.NotFound', 'The specified OSS bucket does not exist in this region.']],
      ['bucket of another region', 'main', { OSSBucket: 'ferry-elsewhere' }, [400, 'InvalidOSSBucket.NotMatched', /^The specified OSS bucket is incorrect, /]],
      ['encrypted bucket', 'main', { OSSBucket: 'ferry-encrypted' }, [403, 'InvalidOSSBucket.EncryptUnsupported', 'Accessing objects from encrypted OSS bucket is not supported.']],
      ['archive bucket', 'main', { OSSBucket: 'ferry-archive' }, [400, 'InvalidOSSObject.NeedRestore', 'The specified OSS object is a archive object, need restore first.']],
      ['bucket of another account', 'main', { OSSBucket: 'ferry-foreign' }, [403, 'InvalidOSS.NotAuthorized', 'The specified OSS bucket or object is not allowed to access.']],
      ['another role', 'main', { RoleName: 'nobody' }, noRole],
      ['dry run', 'main', { DryRun: true }, [400, 'DryRunOperation']],
      ['no role', 'roleless', {}, noRole],
      ['role without permissions', 'powerless', {}, [403, 'InvalidOSS.NotAuthorized', 'The specified OSS bucket or object is not allowed to access.']],
      ['not on the white list', 'whitelist', {}, [403, 'UserNotInTheWhiteList', 'The user is not in the white list of exporting image.']],
      ['region without exports', 'unsupported', {}, [400, 'InvalidRegion.NotSupport', 'The specified region does not support image import or export.']],
    ]) refuses(`ExportImage/${name}`, places[place], places[place].keys.admin, 'ExportImage', exporting(params), want);
    for (const [name, place, code] of [['concurrent quota', 'concurrent', 'ConcurrentQuotaExceed.ExportImage'], ['weekly quota', 'weekly', 'WeeklyQuotaExceed.ExportImage']]) {
      add(`ExportImage/${name}`, async () => {
        const call = on(place);
        await checked(call, 'ExportImage', exporting({ ImageId: 'm-plain' }));
        await refused(call, 'ExportImage', exporting(), [403, code], { product: 'Ecs', host: places[place].ecs });
      });
    }
    add('ExportImage/already exporting', async () => {
      const { TaskId } = await ask('ExportImage', exporting({ ImageId: 'm-page000' }));
      await refused(main_, 'ExportImage', exporting({ ImageId: 'm-page000' }),
        [403, 'ImageIsExporting', 'The specified Image is being exported. You can use the DescribeTasks API to check the status of existing tasks.'], { product: 'Ecs', host: main.ecs });
      await ask('CancelTask', { TaskId });
    });
    for (const [name, params] of [
      ['plain', {}], ['prefix', { OSSPrefix: 'Nightly2026' }], ['prefix of 30', { OSSPrefix: 'a'.repeat(30) }],
      ['raw', { ImageFormat: 'raw' }], ['role', { RoleName: 'AliyunECSImageExportDefaultRole' }],
    ]) {
      add(`ExportImage/success: ${name}`, async () => {
        const body = await ask('ExportImage', exporting(params));
        assert.match(body.TaskId, /^t-/);
        assert.equal(body.RegionId, main.region);
        await ask('CancelTask', { TaskId: body.TaskId });
      });
    }
    for (const format of ['raw', 'vhd', 'qcow2', 'QCOW2', 'vmdk', 'vdi']) {
      add(`ExportImage/success: format ${format}`, () => exported('formats', { ImageFormat: format }, format.toLowerCase()));
    }
    add('ExportImage/success: every disk', () => exported('hasty', { ImageId: 'm-plain', OSSPrefix: 'all' }, 'raw'));
    add('ExportImage/the API of 2017', async () => {
      const call = on('seed');
      const old = { RegionId: main.region, ImageId: 'm-plain', OssBucket: 'ferry-images', OssPrefix: 'old', ClientToken: 'once' };
      const { ExportTaskId, TaskId } = await checked(call, 'ExportImage', old);
      assert.ok(ExportTaskId);
      assert.equal(TaskId, undefined);
      assert.equal((await checked(call, 'ExportImage', old)).ExportTaskId, ExportTaskId);
      const refusals = { product: 'Ecs', host: places.seed.ecs };
      await refused(call, 'ExportImage', { ...old, ClientToken: 'twice' }, [403, 'OperationDenied.ImageExporting'], refusals);
      await refused(call, 'ExportImage', { ...old, ImageId: 'm-none', ClientToken: '3' }, [403, 'ImageId.NotFound'], refusals);
      await refused(call, 'ExportImage', { ...old, ImageId: 'm-second', OssBucket: 'ferry-none', ClientToken: '4' }, [400, 'OssBucket.NotFound'], refusals);
      await refused(call, 'ExportImage', { ...old, ImageId: 'm-second', OssPrefix: 'a/b', ClientToken: '5' }, [400, 'OssPrefix.Malformed'], refusals);
    });
  }

  // exported follows an export to its end and looks at what ECS says of it.
  async function exported(place, params, format) {
    const call = on(place);
    const { region } = places[place];
    const order = { RegionId: region, ImageId: 'm-second', OSSBucket: 'ferry-images', ...params };
    const { TaskId } = await checked(call, 'ExportImage', order);
    const task = await until(() => checked(call, 'DescribeTaskAttribute', { RegionId: region, TaskId }), (t) => t.TaskStatus !== 'Processing');
    const disks = order.ImageId === 'm-plain' ? ['system', 'data_xvdb', 'data_xvdc'] : ['system'];
    assert.deepEqual([task.TaskStatus, task.TaskAction, task.TaskProcess, task.TotalCount, task.SuccessCount, task.FailedCount, task.RegionId],
      ['Finished', 'ExportImage', '100%', disks.length, disks.length, 0, region]);
    assert.match(task.CreationTime, /^\d{4}-\d\d-\d\dT\d\d:\d\dZ$/);
    assert.match(task.FinishedTime, /^\d{4}-\d\d-\d\dT\d\d:\d\dZ$/);
    const done = task.OperationProgressSet.OperationProgress;
    const items = done.map((o) => Object.fromEntries(o.RelatedItemSet.RelatedItem.map((i) => [i.Name, i.Value])));
    assert.deepEqual(done.map((o) => [o.OperationStatus, o.ErrorCode, o.ErrorMsg]), disks.map(() => ['Success', '', '']));
    for (const [n, item] of items.entries()) {
      assert.deepEqual([item.OSSBucket, item.ImageFormat], ['ferry-images', format]);
      const start = `${params.OSSPrefix ? params.OSSPrefix + '_' : ''}${order.ImageId}_${disks[n]}.`;
      assert.ok(item.OSSObject.startsWith(start), `${item.OSSObject} does not start with ${start}`);
    }
    const listed = await checked(call, 'DescribeTasks', { RegionId: region, TaskIds: TaskId, TaskStatus: 'Finished' });
    assert.deepEqual(listed.TaskSet.Task.map((t) => [t.TaskId, t.ResourceId, t.TaskStatus]), [[TaskId, order.ImageId, 'Finished']]);
    await refused(call, 'CancelTask', { RegionId: region, TaskId }, [403, 'InvalidTaskId.IncorrectTaskStatus', 'The specified task status is invalid.'],
      { product: 'Ecs', host: places[place].ecs });
  }

  function addTasks() {
    for (const action of ['DescribeTaskAttribute', 'CancelTask']) {
      refuses(`${action}/no such task`, main, main.keys.admin, action, { RegionId: main.region, TaskId: 't-bp1none' }, noTask);
    }
    const start = async (n) => (await ask('ExportImage', { ImageId: `m-page${n}`, OSSBucket: 'ferry-images' })).TaskId;
    add('DescribeTaskAttribute/processing', async () => {
      const TaskId = await start('001');
      const task = await ask('DescribeTaskAttribute', { TaskId });
      assert.deepEqual([task.TaskId, task.TaskStatus, task.TaskAction, task.TaskProcess, task.TotalCount, task.SuccessCount, task.FailedCount, task.FinishedTime],
        [TaskId, 'Processing', 'ExportImage', '0%', 1, 0, 0, '']);
      assert.equal(String(task.SupportCancel), 'true');
      assert.equal(task.OperationProgressSet.OperationProgress.length, 1);
    });
    add('CancelTask/success', async () => {
      const TaskId = await start('002');
      await ask('CancelTask', { TaskId });
      assert.equal((await ask('DescribeTaskAttribute', { TaskId })).TaskStatus, 'Deleted');
      await refused(main_, 'CancelTask', { RegionId: main.region, TaskId }, [403, 'InvalidTaskId.IncorrectTaskStatus'], { product: 'Ecs', host: main.ecs });
    });
    let ids;
    add('DescribeTasks/by image', async () => {
      ids = [];
      for (let n = 10; n < 35; n++) ids.push(await start(`0${n}`));
      const images = ids.map((_, n) => `m-page0${n + 10}`);
      const body = await ask('DescribeTasks', { ResourceIds: images, TaskAction: 'ExportImage', PageSize: 100 });
      assert.deepEqual([body.TotalCount, body.PageNumber, body.PageSize, body.RegionId], [25, 1, 100, main.region]);
      const tasks = body.TaskSet.Task;
      assert.deepEqual(tasks.map((t) => t.TaskId).sort(), [...ids].sort());
      for (const t of tasks) assert.deepEqual([t.TaskAction, t.TaskStatus, t.SupportCancel, t.FinishedTime], ['ExportImage', 'Processing', 'true', '']);
    });
    for (const [name, params, count] of [
      ['by ids', () => ({ TaskIds: ids.join(',') }), 25],
      ['by no such id', () => ({ TaskIds: 't-bp1none' }), 0],
      ['by state', () => ({ TaskIds: ids.join(','), TaskStatus: 'Processing' }), 25],
      ['by another state', () => ({ TaskIds: ids.join(','), TaskStatus: 'Finished' }), 0],
      ['by a state that does not take effect', () => ({ TaskIds: ids.join(','), TaskStatus: 'Paused' }), 25],
      ['by another action', () => ({ TaskIds: ids.join(','), TaskAction: 'ImportImage' }), 0],
      ['since', () => ({ TaskIds: ids.join(','), StartTime: '2026-01-01T00:00:00Z' }), 25],
      ['until', () => ({ TaskIds: ids.join(','), EndTime: '2026-01-01T00:00:00Z' }), 0],
    ]) add(`DescribeTasks/${name}`, async () => assert.equal((await ask('DescribeTasks', params())).TotalCount, count));
    for (const size of [10, 24, 25]) {
      add(`DescribeTasks/pages of ${size} to the end`, async () => {
        const found = [];
        for (let page = 1; ; page++) {
          const body = await ask('DescribeTasks', { TaskIds: ids.join(','), PageNumber: page, PageSize: size });
          found.push(...body.TaskSet.Task.map((t) => t.TaskId));
          if (page * size >= body.TotalCount) break;
        }
        assert.deepEqual(found.sort(), [...ids].sort());
      });
    }
    for (const [name, params] of [
      ['101 ids', { TaskIds: Array.from({ length: 101 }, (_, n) => `t-${n}`).join(',') }],
      ['101 images', { ResourceIds: Array.from({ length: 101 }, (_, n) => `m-${n}`) }],
      ['pages of 101', { PageSize: 101 }],
      ['malformed time', { StartTime: 'yesterday' }],
    ]) refuses(`DescribeTasks/${name}`, main, main.keys.admin, 'DescribeTasks', { RegionId: main.region, ...params }, [400, 'InvalidParameter']);
  }

  function addChanges() {
    const hasty = on('hasty');
    const { region } = places.hasty;
    const made = (params) => checked(hasty, 'CreateImage', { RegionId: region, ...params });
    const available = (ImageId) => until(() => checked(hasty, 'DescribeImages', { RegionId: region, ImageId, Status: 'Creating,Available' }),
      (body) => body.Images.Image[0].Status === 'Available');
    add('CreateImage/of an instance', async () => {
      const { ImageId } = await made({ InstanceId: 'i-bp1made0up0000000000', ImageName: 'of-an-instance', Tag: [{ Key: 'k', Value: 'v' }], ImageFamily: 'made' });
      const [image] = (await available(ImageId)).Images.Image;
      assert.deepEqual([image.ImageName, image.Progress, image.ImageFamily, image.Tags.Tag[0].TagKey], ['of-an-instance', '100%', 'made', 'k']);
    });
    add('CreateImage/of snapshots', async () => {
      const { ImageId } = await made({ ImageName: 'of-snapshots', DiskDeviceMapping: [
        { SnapshotId: 's-bp1a', Size: 40, DiskType: 'system', Device: '/dev/xvda' }, { SnapshotId: 's-bp1b', Size: 500, DiskType: 'data', Device: '/dev/xvdb' }] });
      const [image] = (await available(ImageId)).Images.Image;
      assert.deepEqual(image.DiskDeviceMappings.DiskDeviceMapping.map((d) => [d.Type, d.Device, d.Size, d.SnapshotId]),
        [['system', '/dev/xvda', '40', 's-bp1a'], ['data', '/dev/xvdb', '500', 's-bp1b']]);
    });
    add('CreateImage/the same token', async () => {
      const params = { SnapshotId: 's-bp1c', ImageName: 'with-a-token', ClientToken: '5d2f-once' };
      assert.equal((await made(params)).ImageId, (await made(params)).ImageId);
      await refused(hasty, 'CreateImage', { RegionId: region, ...params, ImageName: 'another' }, [400, 'IdempotentParameterMismatch',
        'Request uses a client token in a previous request but is not identical to that request.'], { product: 'Ecs', host: places.hasty.ecs });
    });
    refuses('CreateImage/the same name', main, main.keys.admin, 'CreateImage', { RegionId: main.region, InstanceId: 'i-bp1', ImageName: 'plain' }, [400, 'InvalidImageName.Duplicated']);
    refuses('CreateImage/malformed name', main, main.keys.admin, 'CreateImage', { RegionId: main.region, InstanceId: 'i-bp1', ImageName: 'http://x' }, [400, 'InvalidImageName.Malformed', 'The specified Image name is wrongly formed.']);
    refuses('CreateImage/of nothing', main, main.keys.admin, 'CreateImage', { RegionId: main.region, ImageName: 'of-nothing' }, missing('InstanceId'));
    add('ModifyImageAttribute/success', async () => {
      await checked(hasty, 'ModifyImageAttribute', { RegionId: region, ImageId: 'm-page100', Description: 'changed', ImageFamily: 'changed', Status: 'Deprecated' });
      const body = await checked(hasty, 'DescribeImages', { RegionId: region, ImageId: 'm-page100', Status: 'Deprecated' });
      assert.deepEqual([body.Images.Image[0].Description, body.Images.Image[0].ImageFamily], ['changed', 'changed']);
    });
    add('TagResources/success', async () => {
      await checked(hasty, 'TagResources', { RegionId: region, ResourceType: 'image', ResourceId: ['m-page101', 'm-page102'], Tag: [{ Key: 'a', Value: '1' }, { Key: 'b', Value: '2' }] });
      const body = await checked(hasty, 'DescribeImages', { RegionId: region, Tag: [{ Key: 'a', Value: '1' }, { Key: 'b', Value: '2' }] });
      assert.equal(body.TotalCount, 2);
    });
    add('DeleteImage/success', async () => {
      await checked(hasty, 'DeleteImage', { RegionId: region, ImageId: 'm-page103' });
      assert.equal((await checked(hasty, 'DescribeImages', { RegionId: region, ImageId: 'm-page103' })).TotalCount, 0);
      await refused(hasty, 'DeleteImage', { RegionId: region, ImageId: 'm-page103' }, noImage, { product: 'Ecs', host: places.hasty.ecs });
    });
    add('DeleteImage/in use', async () => {
      await refused(hasty, 'DeleteImage', { RegionId: region, ImageId: 'm-used' }, [403, 'ImageUsingByInstance'], { product: 'Ecs', host: places.hasty.ecs });
      await checked(hasty, 'DeleteImage', { RegionId: region, ImageId: 'm-used', Force: true });
    });
    add('DeleteImage/exporting', async () => {
      await ask('ExportImage', { ImageId: 'm-page104', OSSBucket: 'ferry-images' });
      await refused(main_, 'DeleteImage', { RegionId: main.region, ImageId: 'm-page104', Force: true }, [403, 'ImageIsExporting'], { product: 'Ecs', host: main.ecs });
    });
    for (const [image, want] of [['m-none', noImage], ['m-shared', noImage], ['m-public', [403, 'ImageIsPublic']]]) {
      refuses(`DeleteImage/${image}`, main, main.keys.admin, 'DeleteImage', { RegionId: main.region, ImageId: image }, want);
    }
    for (const action of ['ModifyImageAttribute', 'TagResources']) {
      const params = { ...actions[action][0] };
      if (params.ImageId) params.ImageId = 'm-none';
      if (params.ResourceId) params.ResourceId = ['m-none'];
      refuses(`${action}/no such image`, main, main.keys.admin, action, params, noImage);
    }
  }
}

module.exports = { ecsCases };
