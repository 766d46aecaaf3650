package ecsd_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imageferry/internal/localcloud/ecsd"
)

func TestDescribeTasksSelects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		names := map[string]string{}
		start := func(image string) {
			w.server.AddImage(ecsd.Image{ID: image})
			names[w.export(image)] = image
			time.Sleep(time.Second)
		}
		start("m-1")
		time.Sleep(time.Hour) // finished
		w.server.FailNextExport("m-2", "X", "x")
		start("m-2")
		time.Sleep(time.Hour) // failed
		start("m-3")
		start("m-4")
		cancelled := w.server.Tasks()[3].ID
		w.do("CancelTask", "TaskId", cancelled)
		start("m-5")
		all := w.server.Tasks()
		ids := all[0].ID + "," + all[4].ID + ",t-unknown," + all[0].ID
		for _, test := range []struct{ params, want string }{
			{"", "m-5 m-4 m-3 m-2 m-1"},
			{"TaskAction=ExportImage", "m-5 m-4 m-3 m-2 m-1"},
			{"TaskAction=ImportImage", ""},
			{"TaskStatus=Finished", "m-1"},
			{"TaskStatus=Failed", "m-2"},
			{"TaskStatus=Processing", "m-5 m-3"},
			{"TaskStatus=Deleted", "m-5 m-4 m-3 m-2 m-1"}, // takes no effect
			{"TaskIds=" + ids, "m-5 m-1"},
			{"ResourceIds.1=m-3 ResourceIds.2=m-4", "m-4 m-3"},
			{"ResourceIds.1=m-3 TaskIds=" + all[4].ID, ""},
			{"StartTime=2000-01-01T00:30:00Z EndTime=2000-01-01T01:30:00Z", "m-2"},
			{"PageSize=2 PageNumber=2", "m-3 m-2"},
		} {
			a := w.do("DescribeTasks", split(test.params)...)
			var got []string
			list, _ := a.at("TaskSet", "Task").([]any)
			for n := range list {
				id := a.text("TaskSet", "Task", n, "TaskId")
				if names[id] != a.text("TaskSet", "Task", n, "ResourceId") {
					t.Errorf("%s: task %s is of %s", test.params, id, a.text("TaskSet", "Task", n, "ResourceId"))
				}
				got = append(got, names[id])
			}
			if !slices.Equal(got, strings.Fields(test.want)) {
				t.Errorf("%s: %v, want %s", test.params, got, test.want)
			}
		}
		first := answer(w.do("DescribeTasks", "TaskIds", all[0].ID).at("TaskSet", "Task", 0).(map[string]any))
		if first.text("TaskStatus") != "Finished" || first.text("CreationTime") != "2000-01-01T00:00Z" ||
			first.text("FinishedTime") != "2000-01-01T00:10Z" || first.text("SupportCancel") != "true" {
			t.Errorf("task %v", first)
		}
		w.fails(400, "InvalidParameter", "DescribeTasks", "TaskIds", strings.Repeat("t,", 100)+"t")
		w.fails(400, "InvalidParameter", "DescribeTasks", "PageSize", "101")
		w.fails(400, "InvalidParameter", "DescribeTasks", "StartTime", "yesterday")
	})
}
