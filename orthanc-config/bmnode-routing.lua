-- Sends new studies to bmnode, and never bmnode's own results back to it.
--
-- A study is judged when it has been quiet for "StableAge" seconds, series by series. What was
-- sent is written down on the series ("bmnode-routed": how many instances), so a late series
-- goes alone, and the arrival of bmnode's results, which makes the study stable once more,
-- sends nothing. The note is made when bmnode has taken the series, not before: what failed
-- is tried again.
--
-- What a site may change:

local BMNODE = 'bmnode'                -- bmnode's name under "DicomModalities"
local BMNODE_AET = 'BMNODE'            -- its AE title there
local BMNODE_MANUFACTURER = 'bmnode project'   -- what it writes into Manufacturer (0008,0070)
local MODALITIES = { NM = true, PT = true, CT = true, MR = true }   -- what bmnode can assess

-- Nothing below needs a change.

local ROUTED = '1025'   -- number of "bmnode-routed" under "UserMetadata"
local jobs = {}         -- job id -> { study = id, series = { series id -> instance count } }
local waiting = {}      -- study id -> true: sending failed, to be tried again

local function get(uri)
   local body = RestApiGet(uri, false)
   return body and ParseJson(body)
end

-- The calling AE title that an instance came with; empty for an upload by REST.
local function callingAet(instanceId)
   local metadata = get('/instances/' .. instanceId .. '/metadata?expand')
   return metadata and metadata['RemoteAET'] or ''
end

local function isOwnResult(series)
   if string.lower(series['MainDicomTags']['Manufacturer'] or '') == string.lower(BMNODE_MANUFACTURER) then
      return true
   end
   return string.upper(callingAet(series['Instances'][1])) == string.upper(BMNODE_AET)
end

local function countRouted(seriesId)
   local metadata = get('/series/' .. seriesId .. '/metadata?expand')
   return metadata and tonumber(metadata['bmnode-routed'] or metadata[ROUTED] or '0') or 0
end

local function route(studyId)
   local study = get('/studies/' .. studyId)
   if study == nil then
      return   -- deleted meanwhile
   end
   local resources, counts = {}, {}
   for _, seriesId in ipairs(study['Series']) do
      local series = get('/series/' .. seriesId)
      if series and MODALITIES[series['MainDicomTags']['Modality'] or ''] and not isOwnResult(series) then
         local count = #series['Instances']
         if count ~= countRouted(seriesId) then
            table.insert(resources, seriesId)
            counts[seriesId] = count
         end
      end
   end
   if #resources == 0 then
      return
   end
   local answer = RestApiPost('/modalities/' .. BMNODE .. '/store',
                              DumpJson({ Resources = resources, Synchronous = false }, true), false)
   local job = answer and ParseJson(answer)['ID']
   if job then
      jobs[job] = { study = studyId, series = counts }
      print('bmnode-routing: study ' .. studyId .. ', ' .. #resources .. ' series, job ' .. job)
   else
      waiting[studyId] = true
      print('bmnode-routing: study ' .. studyId .. ' cannot be sent; is "' .. BMNODE .. '" under DicomModalities?')
   end
end

local function retry(exceptStudyId)
   local again = waiting
   waiting = {}
   for studyId in pairs(again) do
      if studyId ~= exceptStudyId then
         route(studyId)
      end
   end
end

function OnStableStudy(studyId, tags, metadata)
   route(studyId)
   retry(studyId)
end

function OnJobSuccess(jobId)
   local job = jobs[jobId]
   jobs[jobId] = nil
   if job then
      for seriesId, count in pairs(job['series']) do
         RestApiPut('/series/' .. seriesId .. '/metadata/' .. ROUTED, tostring(count), false)
      end
   end
end

function OnJobFailure(jobId)
   local job = jobs[jobId]
   jobs[jobId] = nil
   if job then
      waiting[job['study']] = true
      print('bmnode-routing: study ' .. job['study'] .. ' was not taken, see /jobs/' .. jobId .. '; tried again later')
   end
end

function OnHeartBeat()   -- from Orthanc 1.11.1 on; before, the next stable study has the failed ones tried again
   retry(nil)
end
