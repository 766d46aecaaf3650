package ecsd

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"imageferry/internal/localcloud/openapi"
)

// maxTaskIDs bounds TaskIds and ResourceIds of DescribeTasks.
const maxTaskIDs = 100

type tasksResult struct {
	openapi.Header
	page
	RegionID string `json:"RegionId" xml:"RegionId"`
	TaskSet  struct {
		Task []taskView `json:"Task" xml:"Task"`
	} `json:"TaskSet" xml:"TaskSet"`
}

type taskView struct {
	TaskID        string `json:"TaskId" xml:"TaskId"`
	TaskAction    string `json:"TaskAction" xml:"TaskAction"`
	TaskStatus    string `json:"TaskStatus" xml:"TaskStatus"`
	ResourceID    string `json:"ResourceId" xml:"ResourceId"`
	SupportCancel string `json:"SupportCancel" xml:"SupportCancel"`
	CreationTime  string `json:"CreationTime" xml:"CreationTime"`
	FinishedTime  string `json:"FinishedTime" xml:"FinishedTime"`
	FailedReason  string `json:"FailedReason" xml:"FailedReason"`
}

// describeTasks lists tasks by page number. Guess: the newest task comes first.
func (s *Server) describeTasks(_ context.Context, req *openapi.Request) (openapi.Result, *openapi.Error) {
	q, err := parseTaskQuery(req.Params)
	if err != nil {
		return nil, err
	}
	result := &tasksResult{page: q.page, RegionID: s.options.Region}
	result.TaskSet.Task = []taskView{}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range slices.Backward(s.tasks.candidates(q)) {
		if !q.matches(t) {
			continue
		}
		if q.page.holds(result.TotalCount) {
			result.TaskSet.Task = append(result.TaskSet.Task, viewTask(t.snapshot(now)))
		}
		result.TotalCount++
	}
	return result, nil
}

// A taskQuery is what DescribeTasks selects by. Empty fields select everything.
type taskQuery struct {
	page            page
	ids, images     []string
	action, status  string
	notBefore, last time.Time
}

func parseTaskQuery(p openapi.Params) (taskQuery, *openapi.Error) {
	q := taskQuery{images: p.List("ResourceIds"), action: p.Get("TaskAction")}
	var err *openapi.Error
	if q.page, err = parsePage(p); err != nil {
		return taskQuery{}, err
	}
	if ids := p.Get("TaskIds"); ids != "" {
		q.ids = strings.Split(ids, ",")
	}
	if len(q.ids) > maxTaskIDs {
		return taskQuery{}, openapi.Invalid("TaskIds")
	}
	if len(q.images) > maxTaskIDs {
		return taskQuery{}, openapi.Invalid("ResourceIds")
	}
	switch status := p.Get("TaskStatus"); status {
	case TaskProcessing, TaskFinished, TaskFailed:
		q.status = status // other values do not take effect
	}
	for name, field := range map[string]*time.Time{"StartTime": &q.notBefore, "EndTime": &q.last} {
		value := p.Get(name)
		if value == "" {
			continue
		}
		t, err := time.Parse(secondLayout, value)
		if err != nil {
			return taskQuery{}, openapi.Invalid(name)
		}
		*field = t
	}
	return q, nil
}

func (q taskQuery) matches(t *task) bool {
	return (q.ids == nil || slices.Contains(q.ids, t.ID)) &&
		(q.images == nil || slices.Contains(q.images, t.ImageID)) &&
		(q.action == "" || q.action == t.Action) &&
		(q.status == "" || q.status == t.Status) &&
		!t.Created.Before(q.notBefore) &&
		(q.last.IsZero() || !t.Created.After(q.last))
}

// candidates are the tasks among which a query chooses, oldest first, so that asking for a few of many is cheap.
func (st *taskStore) candidates(q taskQuery) []*task {
	var some []*task
	switch {
	case q.ids != nil:
		for _, id := range q.ids {
			if t, ok := st.byID[id]; ok {
				some = append(some, t)
			}
		}
	case q.images != nil:
		for _, id := range q.images {
			some = append(some, st.byImage[id]...)
		}
	default:
		return st.all
	}
	slices.SortFunc(some, func(a, b *task) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return slices.Compact(some) // an id may be asked for twice
}

func viewTask(t Task) taskView {
	return taskView{
		TaskID: t.ID, TaskAction: t.Action, TaskStatus: t.Status, ResourceID: t.ImageID, SupportCancel: "true",
		CreationTime: minutes(t.Created), FinishedTime: minutes(t.Finished), FailedReason: t.failure(),
	}
}

// minutes writes a task's time as the platform does, without seconds; a zero time is empty. Guess: DescribeTasks writes
// it like DescribeTaskAttribute, of which there is a sample.
func minutes(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(minuteLayout)
}

type taskAttributeResult struct {
	openapi.Header
	TaskID               string `json:"TaskId" xml:"TaskId"`
	RegionID             string `json:"RegionId" xml:"RegionId"`
	TaskAction           string `json:"TaskAction" xml:"TaskAction"`
	TaskStatus           string `json:"TaskStatus" xml:"TaskStatus"`
	TaskProcess          string `json:"TaskProcess" xml:"TaskProcess"`
	SupportCancel        bool   `json:"SupportCancel" xml:"SupportCancel"`
	TotalCount           int    `json:"TotalCount" xml:"TotalCount"`
	SuccessCount         int    `json:"SuccessCount" xml:"SuccessCount"`
	FailedCount          int    `json:"FailedCount" xml:"FailedCount"`
	CreationTime         string `json:"CreationTime" xml:"CreationTime"`
	FinishedTime         string `json:"FinishedTime" xml:"FinishedTime"`
	OperationProgressSet struct {
		OperationProgress []operationView `json:"OperationProgress" xml:"OperationProgress"`
	} `json:"OperationProgressSet" xml:"OperationProgressSet"`
}

type operationView struct {
	OperationStatus string `json:"OperationStatus" xml:"OperationStatus"`
	ErrorCode       string `json:"ErrorCode" xml:"ErrorCode"`
	ErrorMsg        string `json:"ErrorMsg" xml:"ErrorMsg"`
	RelatedItemSet  struct {
		RelatedItem []relatedItem `json:"RelatedItem" xml:"RelatedItem"`
	} `json:"RelatedItemSet" xml:"RelatedItemSet"`
}

type relatedItem struct {
	Name  string `json:"Name" xml:"Name"`
	Value string `json:"Value" xml:"Value"`
}

func (s *Server) describeTaskAttribute(_ context.Context, req *openapi.Request) (openapi.Result, *openapi.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	live, ok := s.tasks.byID[req.Params.Get("TaskId")]
	if !ok {
		return nil, noSuchTask()
	}
	t := live.snapshot(time.Now())
	result := &taskAttributeResult{
		TaskID: t.ID, RegionID: s.options.Region, TaskAction: t.Action, TaskStatus: t.Status, TaskProcess: t.process(),
		SupportCancel: true, TotalCount: len(t.Subtasks), SuccessCount: t.count("Success"), FailedCount: t.count(TaskFailed),
		CreationTime: minutes(t.Created), FinishedTime: minutes(t.Finished),
	}
	for _, sub := range t.Subtasks {
		result.OperationProgressSet.OperationProgress = append(result.OperationProgressSet.OperationProgress, viewSubtask(t, sub))
	}
	return result, nil
}

// viewSubtask describes the export or import of a disk. Guess: an export's bucket and format are known from the start, the
// object only once it is written, and an import's object always; no document says when.
func viewSubtask(t Task, sub Subtask) operationView {
	v := operationView{OperationStatus: sub.Status, ErrorCode: sub.ErrorCode, ErrorMsg: sub.ErrorMessage}
	v.RelatedItemSet.RelatedItem = []relatedItem{{"OSSBucket", sub.Bucket}, {"ImageFormat", sub.Format}}
	if sub.Status == "Success" || t.Action == ActionImport {
		v.RelatedItemSet.RelatedItem = []relatedItem{{"OSSBucket", sub.Bucket}, {"OSSObject", sub.Object}, {"ImageFormat", sub.Format}}
	}
	return v
}

func noSuchTask() *openapi.Error {
	return openapi.Errorf(http.StatusBadRequest, "InvalidTaskId.NotFound", "The specified TaskId does not exist.")
}
