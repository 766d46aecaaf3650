package alicloud

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"imageferry/internal/export"
)

// maxTaskPages bounds TasksOf: an image has few tasks, and a server that ignores the filter has many.
const maxTaskPages = 20

// Tasks describes tasks with one call.
func (e *ECS) Tasks(ctx context.Context, ids []string) ([]export.Task, error) {
	if len(ids) == 0 {
		return nil, nil // without ids the API lists every task
	}
	if len(ids) > export.MaxTasksPerCall {
		return nil, &export.CallError{
			Op:      "DescribeTasks",
			Message: fmt.Sprintf("not sent: %d ids, at most %d are possible", len(ids), export.MaxTasksPerCall),
		}
	}
	answer, f := e.describeTasks(ctx, func(request *ecs.DescribeTasksRequest) {
		request.TaskIds = strings.Join(ids, ",")
	})
	if f != nil {
		return nil, f.CallError
	}
	return tasks(answer.Tasks, func(taskWire) bool { return true }), nil
}

// TasksOf lists the export tasks of an image. Where tasks tell their time to the minute only, those of the minute that
// since is in are included.
func (e *ECS) TasksOf(ctx context.Context, imageID string, since time.Time) ([]export.Task, error) {
	since = since.UTC().Truncate(time.Minute)
	// The filters are applied once more here: adopting another image's task would be worse than finding none.
	ours := func(w taskWire) bool {
		created := parseTime(w.CreationTime)
		return (w.ResourceID == "" || string(w.ResourceID) == imageID) &&
			(w.TaskAction == "" || w.TaskAction == "ExportImage") &&
			(created.IsZero() || !created.Before(since))
	}
	var found []export.Task
	for page, seen := 1, 0; page <= maxTaskPages; page++ {
		answer, f := e.describeTasks(ctx, func(request *ecs.DescribeTasksRequest) {
			request.TaskAction = "ExportImage"
			request.ResourceIds = &[]string{imageID}
			request.PageNumber = requests.NewInteger(page)
			if !since.IsZero() {
				request.StartTime = since.Format("2006-01-02T15:04:05Z")
			}
		})
		if f != nil {
			return nil, f.CallError
		}
		found = append(found, tasks(answer.Tasks, ours)...)
		seen += len(answer.Tasks)
		if len(answer.Tasks) == 0 || seen >= int(answer.TotalCount) {
			break
		}
	}
	return found, nil
}

func (e *ECS) describeTasks(ctx context.Context, fill func(*ecs.DescribeTasksRequest)) (tasksAnswer, *fault) {
	var answer tasksAnswer
	f := e.read(ctx, func() requests.AcsRequest {
		request := ecs.CreateDescribeTasksRequest()
		request.PageSize = requests.NewInteger(export.MaxTasksPerCall) // the default is 10, also with 100 ids
		fill(request)
		return request
	}, func(body []byte) error {
		answer = tasksAnswer{}
		return decodeAnswer(body, &answer)
	})
	return answer, f
}

// Detail describes one task.
func (e *ECS) Detail(ctx context.Context, taskID string) (export.TaskDetail, bool, error) {
	var answer detailAnswer
	f := e.read(ctx, func() requests.AcsRequest {
		request := ecs.CreateDescribeTaskAttributeRequest()
		request.TaskId = taskID
		return request
	}, func(body []byte) error {
		answer = detailAnswer{}
		return decodeAnswer(body, &answer)
	})
	switch {
	case f != nil && f.Code == "InvalidTaskId.NotFound":
		return export.TaskDetail{}, false, nil
	case f != nil:
		return export.TaskDetail{}, false, f.CallError
	case answer.TaskID == "" && answer.TaskStatus == "":
		// Guess: an unknown task may also be answered like an unknown image, with nothing.
		return export.TaskDetail{}, false, nil
	}
	detail := export.TaskDetail{
		Task:     answer.task(),
		Progress: string(answer.TaskProcess),
		Failed:   int(answer.FailedCount),
	}
	detail.ID = taskID
	for _, w := range answer.Progress {
		detail.Subtasks = append(detail.Subtasks, w.subtask())
	}
	return detail, true, nil
}

// Cancel asks ECS to stop a task.
func (e *ECS) Cancel(ctx context.Context, taskID string) error {
	f := e.read(ctx, func() requests.AcsRequest {
		request := ecs.CreateCancelTaskRequest()
		request.TaskId = taskID
		return request
	}, func(body []byte) error { return decodeAnswer(body, &struct{}{}) })
	if f != nil {
		return f.CallError
	}
	return nil
}

type tasksAnswer struct {
	TotalCount number         `json:"TotalCount"`
	Tasks      list[taskWire] `json:"TaskSet"`
}

type taskWire struct {
	TaskID       text `json:"TaskId"`
	TaskAction   text `json:"TaskAction"`
	TaskStatus   text `json:"TaskStatus"`
	ResourceID   text `json:"ResourceId"`
	CreationTime text `json:"CreationTime"`
	FinishedTime text `json:"FinishedTime"`
}

func (w taskWire) task() export.Task {
	return export.Task{
		ID:         string(w.TaskID),
		Action:     string(w.TaskAction),
		Status:     string(w.TaskStatus),
		ImageID:    string(w.ResourceID),
		CreatedAt:  parseTime(w.CreationTime),
		FinishedAt: parseTime(w.FinishedTime),
	}
}

func tasks(wires []taskWire, wanted func(taskWire) bool) []export.Task {
	var found []export.Task
	for _, w := range wires {
		if w.TaskID != "" && wanted(w) {
			found = append(found, w.task())
		}
	}
	return found
}

type detailAnswer struct {
	taskWire
	TaskProcess text               `json:"TaskProcess"`
	FailedCount number             `json:"FailedCount"`
	Progress    list[progressWire] `json:"OperationProgressSet"`
}

type progressWire struct {
	OperationStatus text           `json:"OperationStatus"`
	ErrorCode       text           `json:"ErrorCode"`
	ErrorMsg        text           `json:"ErrorMsg"`
	Related         list[itemWire] `json:"RelatedItemSet"`
}

func (w progressWire) subtask() export.Subtask {
	s := export.Subtask{Status: string(w.OperationStatus), ErrorCode: string(w.ErrorCode), Message: string(w.ErrorMsg)}
	for _, item := range w.Related {
		switch strings.ToLower(string(item.Name)) {
		case "ossbucket":
			s.Bucket = string(item.Value)
		case "ossobject":
			s.Object = string(item.Value)
		case "imageformat":
			s.Format = string(item.Value)
		}
	}
	return s
}
